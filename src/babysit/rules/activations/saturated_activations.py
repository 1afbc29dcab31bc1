from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import is_rate_test, weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import percent


class SaturatedActivations(Rule):
    """Sigmoid or tanh units stuck at their ends.

    Why it matters:
        At its ends a sigmoid or tanh is flat: the gradient through such a unit is next to zero,
        so the weights before it hardly learn, however wrong they are.

    How it decides:
        Per unit: one is stuck when nine in ten of the recent examples lie where the slope has
        fallen to two per cent of its best. Reported when more than half of a hidden layer's
        units are stuck in every one of the last samples.

    What to do:
        Smaller values before the activation: normalised inputs, Xavier weights, no factor in
        front of the activation, a lower rate. Or ReLU, which has one flat side only.

    When it is wrong:
        Gates (results that are multiplied), attention, outputs and recurrent states may
        saturate by right and are left out. A code that is meant to be binary is reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("saturated-share",)
    remedies = ("lower-scale", "replace-activation")
    explains = (
        "vanishing-gradients",
        "loss-not-decreasing",
        "learning-rate-too-low",
        "collapsed-outputs",
        "underfitting",
    )
    max_share = threshold(
        default=0.5,
        unit="share of a layer's units",
        why="35 healthy programs show none; a steepness of 40 saturates 0.6 to 1 of a layer",
    )
    min_units = threshold(
        default=8, unit="units", why="half of four units is two, which chance may saturate"
    )
    min_samples = threshold(
        default=3, unit="samples", why="one look may fall on an unusual stretch of the data"
    )
    examples = (
        sick(saturated_share={"fc1": [0.2, 0.7, 0.8, 0.8]}),
        healthy(saturated_share={"fc1": [0.0, 0.1, 0.1, 0.2]}),
        healthy(saturated_share={"fc1": [0.8, 0.6, 0.3, 0.1]}),
    )

    def check(self, run: Training) -> Conclusions:
        """Layers whose last samples all lie above the limit."""
        if is_rate_test(run):
            return
        for layer, series in run.places("saturated-share").items():
            recent = series.values[-int(self.min_samples) :]
            if len(recent) < self.min_samples or recent.min() <= self.max_share:
                continue
            width = [p.shape[0] for p in weights(run).values() if p.layer == layer]
            if width and width[0] < self.min_units:
                continue
            first = int(series.steps[series.values > self.max_share][0])
            when = "from the start" if series.first > self.max_share else f"since step {first}"
            yield Finding(
                confidence=0.9,
                message=f"{percent(recent[-1])} of the units after `{layer}` are saturated {when}: "
                "nearly all examples drive them to an end of their sigmoid or tanh, where no "
                "gradient passes",
                where=run.layer_place(layer),
                first_step=first,
                evidence=(
                    Evidence(signal="saturated-share", value=round(float(recent[-1]), 3),
                             limit=self.max_share, steps=(first, int(series.steps[-1]))),
                ),
                remedies=(
                    Remedy(name="lower-scale", text="Make what enters the activation smaller: "
                           "normalise the inputs, initialise with xavier_uniform_, drop any "
                           "factor in front of the activation."),
                    Remedy(name="replace-activation", text="Or use ReLU or GELU in hidden layers, "
                           "and a normalisation before the activation."),
                ),
            )  # fmt: skip
