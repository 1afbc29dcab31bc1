from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy, Severity
from babysit.measures import course, weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import percent


class DeadRelu(Rule):
    """ReLU units that no example activates any more.

    Why it matters:
        A ReLU unit that is below zero for every example outputs zero and passes no gradient: it
        can never come back. A layer that loses most of its units computes with the rest.

    How it decides:
        Per unit, not per value: a unit is dead when it stayed silent for every example of the
        last sampled batches (eight at least, 256 examples at least). Reported when more than
        half of a layer is dead, and stays so to the end.

    What to do:
        A lower learning rate if they died during the training; if they were dead from the
        start, a bias initialisation at zero and He weights. Leaky ReLU keeps a gradient.

    When it is wrong:
        A healthy ReLU net has 50–90 % zeros; single units rest for most examples and fire for
        some. Those are not dead. A layer of a handful of units is not reported, nor a ReLU at the
        output, which may be zero by right.
    """

    since = "0.1"
    severity = "warning"
    needs = ("dead-share",)
    remedies = ("lower-lr", "reinitialise", "replace-activation")
    explains = (
        "vanishing-gradients",
        "loss-not-decreasing",
        "learning-rate-too-low",
        "collapsed-outputs",
        "class-imbalance",
    )
    max_share = threshold(
        default=0.5,
        unit="share of a layer's units",
        why="51 healthy programs end with 0 to 0.31 of a layer dead; 40 % is what high rates are "
        "known to cost (field practice)",
    )
    most = threshold(
        default=0.85,
        unit="share of a layer's units",
        why="of 1,938 healthy trainings one that learns well had 0.75 dead; the sick clinic: 0.98",
    )
    good_drop = threshold(
        default=0.5,
        unit="share of the first loss",
        why="a defect detector with 0.52 of a layer dead lost 0.66 and was right in 0.98 of cases",
    )
    min_units = threshold(
        default=8, unit="units", why="half of four units is two, which chance may silence"
    )
    min_samples = threshold(
        default=3, unit="samples", why="one look may fall on an unusual stretch of the data"
    )
    examples = (
        sick(dead_share={"fc1": [0.7, 0.8, 0.9, 0.9]}, inactive_share={"fc1": [0.7] * 4}),
        healthy(dead_share={"fc1": [0.1, 0.1, 0.2, 0.2]}, inactive_share={"fc1": [0.1] * 4}),
        healthy(dead_share={"fc1": [0.7, 0.6, 0.2, 0.1]}, inactive_share={"fc1": [0.7] * 4}),
    )

    def check(self, run: Training) -> Conclusions:
        """Layers whose last samples all lie above the limit."""
        for layer, series in run.places("dead-share").items():
            recent = series.values[-int(self.min_samples) :]
            if len(recent) < self.min_samples or recent.min() <= self.max_share:
                continue
            if not self._matters(run, layer):
                continue
            start = run.series("inactive-share", layer)
            from_start = len(start) > 0 and start.first > self.max_share
            first = int(series.steps[series.values > self.max_share][0])
            when = "from the start" if from_start else f"since about step {first}"
            cure = (
                Remedy(name="reinitialise", text="They are dead from the start: initialise the "
                       "bias at 0 and the weights with He (kaiming_uniform_).")
                if from_start
                else Remedy(name="lower-lr", text="They died during the training: divide the "
                            "learning rate by 3.")
            )  # fmt: skip
            yield Finding(
                severity=self._severity(run, float(recent[-1])),
                confidence=0.95,
                message=f"{percent(recent[-1])} of the ReLU units after `{layer}` are dead "
                f"{when}: no example activates them, and no gradient reaches them",
                where=run.layer_place(layer, op="Relu"),
                first_step=0 if from_start else first,
                evidence=(
                    Evidence(signal="dead-share", value=round(float(recent[-1]), 3),
                             limit=self.max_share, steps=(first, int(series.steps[-1]))),
                ),
                remedies=(
                    cure,
                    Remedy(name="replace-activation",
                           text="Or use nn.LeakyReLU(0.01), which keeps a gradient."),
                ),
            )  # fmt: skip

    def _severity(self, run: Training, share: float) -> Severity:
        """Half a layer may be spared where the loss falls well all the same."""
        loss = course(run.series("loss").values)
        learns = loss is not None and loss.falls and loss.drop() > self.good_drop
        if learns and share < self.most:
            return "advice"
        return "error" if share >= 0.999 else "warning"

    def _matters(self, run: Training, layer: str) -> bool:
        """A hidden layer of some width; a ReLU at the output may well be zero by right."""
        known = weights(run)
        own = [name for name, weight in known.items() if weight.layer == layer]
        is_output = bool(own) and own[0] == list(known)[-1]
        return not own or (not is_output and known[own[0]].shape[0] >= self.min_units)
