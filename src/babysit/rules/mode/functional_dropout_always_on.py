from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training


class FunctionalDropoutAlwaysOn(Rule):
    """A functional dropout does not follow the model's mode: it is on while evaluating, too.

    Why it matters:
        ``F.dropout(x, p)`` drops by default, whatever ``model.eval()`` says: predictions are
        noisy, and worse than the model can do. ``nn.Dropout(p)(x)`` made anew in a forward is
        just so.

    How it decides:
        During an evaluation without gradients a dropout call was on although the module that
        called it, or the model itself, was in eval mode.

    What to do:
        Write ``F.dropout(x, p, training=self.training)``, or make an ``nn.Dropout`` in
        ``__init__``.

    When it is wrong:
        Monte Carlo dropout is meant: the model then gets the same input several times in one
        evaluation, which is not reported. Where the call says ``training=True`` outright, this is
        advice only.
    """

    since = "0.1"
    severity = "error"
    needs = ("evaluation-in-train-mode",)
    remedies = ("pass-training-flag",)
    explains = ("overfitting", "underfitting", "early-stopping-missed", "dropout-too-strong",
                "train-validation-mismatch")  # fmt: skip
    max_repeats = threshold(
        default=2, unit="passes of one input per evaluation",
        why="Monte Carlo programs give an input 10 to 50 times; a loss and an accuracy take two",
    )  # fmt: skip
    examples = (
        sick(evaluation_in_train_mode={"t.py:30": [0.0] * 4}, evaluation_dropout={"t.py:9": [0.5]}),
        healthy(evaluation_in_train_mode={"t.py:30": [0.0] * 4}),
        healthy(evaluation_in_train_mode={"t.py:30": [0.0]}, evaluation_dropout={"t.py:9": [0.5]},
                facts={"dropout_sites": {"t.py:9": {"called_from": "t.py:30"}},
                       "evaluation_sites": {"t.py:30": {"repeats": 8}}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Each line whose dropout stayed on, unless its caller meant it."""
        sites, callers = run.facts.get("dropout_sites", {}), run.facts.get("evaluation_sites", {})
        for name, rates in run.places("evaluation-dropout").items():
            site = sites.get(name, {})
            caller = callers.get(site.get("called_from"), {})
            if caller.get("repeats", 1) > self.max_repeats or caller.get("is_discarded"):
                continue
            code = (site.get("code") or "").replace(" ", "")
            is_said = "training=True" in code
            yield Finding(
                severity="advice" if is_said else self.severity,
                confidence=0.5 if is_said else 0.97,
                message=f"the dropout at {name} (rate {rates.last:g}) is on while the model is "
                "evaluated, although the model is in eval mode",
                where=Place(op="Dropout", file=site.get("file"), line=site.get("line"),
                            code=site.get("code")),
                first_step=int(rates.steps[0]),
                last_step=int(rates.steps[-1]),
                evidence=(
                    Evidence(signal="evaluation-dropout", value=round(rates.last, 4), limit=0.0,
                             steps=(int(rates.steps[0]), int(rates.steps[-1]))),
                ),
                remedies=(
                    Remedy(name="pass-training-flag", text="Write F.dropout(x, p, "
                           "training=self.training), or make an nn.Dropout in __init__ and call "
                           "that."),
                ),
            )  # fmt: skip
