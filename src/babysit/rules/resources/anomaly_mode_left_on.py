from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count


class AnomalyModeLeftOn(Rule):
    """A debug switch that slows every step was left on through the training.

    Why it matters:
        Anomaly detection keeps a Python stack for every operation and checks every gradient; a
        profiler records every call. Small models take 1.5 to 3 times as long.

    How it decides:
        ``torch.autograd.set_detect_anomaly(True)`` or a profiler was in force at nearly every
        backward of the training.

    What to do:
        Switch it off once the fault is found, or put it around the steps in question only:
        ``with torch.autograd.detect_anomaly():``.

    When it is wrong:
        A short run in search of a NaN has it on by intent: trainings of a few steps are not
        reported, nor profilers with a schedule, which rest most of the time.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss",)
    remedies = ("switch-off-debugging",)
    min_share = threshold(
        default=0.9,
        unit="share of steps",
        why="a switch for some steps is used with care; none of 33 healthy programs has it on",
    )
    min_steps = threshold(
        default=50, unit="steps", why="a search for a NaN looks at some dozen steps"
    )
    examples = (
        sick(loss=[1.0] * 80, anomaly_mode=[1.0] * 80),
        sick(loss=[1.0] * 80, profiler=[1.0] * 80),
        healthy(loss=[1.0] * 80, anomaly_mode=[1.0] * 10),
        healthy(loss=[1.0] * 20, anomaly_mode=[1.0] * 20),
    )

    def check(self, run: Training) -> Conclusions:
        """Either switch, on at nearly every step."""
        if run.steps < self.min_steps:
            return
        for signal, name, call in (
            ("anomaly-mode", "autograd's anomaly detection", "torch.autograd.set_detect_anomaly"),
            ("profiler", "a profiler", "torch.profiler"),
        ):
            steps = run.series(signal).steps
            if len(steps) < self.min_share * run.steps:
                continue
            yield Finding(
                severity=self.severity,
                confidence=0.9,
                message=f"{name} was on in {len(steps):,} of {count(run.steps, 'step')}: it slows "
                "each of them",
                where=run.source("backward"),
                first_step=int(steps[0]),
                evidence=(
                    Evidence(signal=signal, value=len(steps), limit=self.min_share * run.steps),
                ),
                remedies=(
                    Remedy(name="switch-off-debugging", text=f"Remove {call}, or use it around "
                           "the few steps that you look at."),
                ),
            )  # fmt: skip
