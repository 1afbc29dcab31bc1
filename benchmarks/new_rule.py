"""Makes the skeleton of a rule and its clinic pair: make new-rule NAME=group/my-rule."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULE = '''from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training


class {title}(Rule):
    """TODO: what is sick, in one sentence.

    Why it matters:
        TODO

    How it decides:
        TODO

    What to do:
        TODO

    When it is wrong:
        TODO: what looks like it and is healthy.
    """

    since = "TODO"
    severity = "warning"
    needs = ("loss",)
    remedies = ("todo",)
    limit = threshold(default=1.0, unit="TODO", why="TODO: a measurement on healthy trainings")
    examples = (sick(loss=[2.0, 2.0]), healthy(loss=[0.5, 0.4]))

    def check(self, run: Training) -> Conclusions:
        """TODO"""
        loss = run.series("loss")
        if loss.last > self.limit:
            yield Finding(
                confidence=0.5,
                message="TODO: what happened, with the value",
                evidence=(Evidence(signal="loss", value=loss.last, limit=self.limit),),
                remedies=(Remedy(name="todo", text="TODO: what to do."),),
            )
'''
CASE = 'lines = ["TODO: text of the guilty line in sick.py"]\nlayers = []\n'
PROGRAM = '"""TODO: an ordinary training script, seeded, under two seconds."""\n'


def main(name: str) -> int:
    """Write the files; refuses to overwrite."""
    group, _, rule = name.partition("/")
    groups = sorted(p.parent.name for p in (ROOT / "src/babysit/rules").glob("*/__init__.py"))
    if not rule or group not in groups:
        print(f"Give NAME=group/my-rule, where group is one of {', '.join(groups)}.")
        return 2
    module = rule.replace("-", "_")
    title = "".join(word.capitalize() for word in rule.split("-"))
    files = {
        ROOT / "src/babysit/rules" / group / f"{module}.py": RULE.replace("{title}", title),
        ROOT / "clinic" / module / "sick.py": PROGRAM,
        ROOT / "clinic" / module / "healthy.py": PROGRAM,
        ROOT / "clinic" / module / "case.toml": CASE,
    }
    taken = [path for path in files if path.exists()]
    if taken:
        print(f"{taken[0].relative_to(ROOT)} exists already.")
        return 2
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"made {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
