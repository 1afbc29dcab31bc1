from __future__ import annotations

from babysit.chance import accuracy_and_neighbours
from babysit.decay import strongest_decay
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.guessing import sole_loss
from babysit.measures import course, num_weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.signal import CHECKUP
from babysit.text import count, number


class Underfitting(Rule):
    """The net cannot learn what the data plainly hold: even the training examples stay wrong.

    Why it matters:
        More data, regularisation or patience do not help a net that is too small or too simple.

    How it decides:
        A high training error alone may be noise in the labels. So the data are asked: where the
        five nearest examples foretell an example's class far better than the net does, and the
        training loss has ceased to fall, the net is the limit. A symptom: folded under a cause
        where one is found.

    What to do:
        More units, a hidden layer, a nonlinearity; less regularisation.

    When it is wrong:
        Where neighbours say little (pictures, sequences, many features) nothing is reported, nor
        for regressions: see for yourself whether ten examples can be learnt by heart.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("larger-net", "less-regularisation")
    is_symptom = True
    min_lead = threshold(
        default=0.12,
        unit="accuracy of neighbours above that of the net",
        why="9 healthy programs lie 0.01 below their neighbours at most; two units for ten "
        "digits 0.46",
    )
    min_left = threshold(
        default=0.3,
        unit="share of the first loss left at the end",
        why="a net whose training loss has fallen further does learn its training examples",
    )
    max_fall = threshold(
        default=0.05,
        unit="share of the loss lost in the last third",
        why="a loss that still falls has not met the net's limit: the training is too short",
    )
    large_decay = threshold(
        default=0.05, unit="weight_decay",
        why="a choice: usual values are 1e-4 to 1e-2; 0.1 kept a classifier of digits at 0.8",
    )  # fmt: skip
    examples = (
        sick(loss=[0.7] * 20 + [0.45] * 280, train_accuracy={5 * i: 0.8 for i in range(60)},
             neighbour_accuracy={100: 0.98}),
        healthy(loss=[0.7] * 20 + [0.45] * 280, train_accuracy={5 * i: 0.8 for i in range(60)},
                neighbour_accuracy={100: 0.78}),
        healthy(loss=[2.3 * 0.99**i for i in range(300)],
                train_accuracy={5 * i: 0.8 for i in range(60)}, neighbour_accuracy={100: 0.98}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Compare the net's accuracy on its own batches with that of neighbours."""
        if not run.has("neighbour-accuracy") or not run.has("train-accuracy"):
            yield Unexamined(reason=f"whether data or net is the limit cannot be told: {CHECKUP}")
            return
        loss = course(run.series("loss").values)
        reached = accuracy_and_neighbours(run)
        node = sole_loss(run)
        if node is not None and node.facts.get("has_weight"):
            yield Unexamined(reason="the loss weighs its classes: accuracy is not what it asks for")
            return
        if loss is None or reached is None or run.facts.get("is_adversarial"):
            yield Unexamined(reason="too few steps were sampled")
            return
        own, neighbours = reached
        levels = loss.levels
        still_falls = levels[-4] - loss.end > max(self.max_fall * levels[-4], 2 * loss.noise)
        is_high = loss.end > self.min_left * loss.start
        if neighbours - own < self.min_lead or still_falls or not is_high:
            return
        weights = num_weights(run)
        yield Finding(
            confidence=0.8,
            message=f"the net classifies only {own:.0%} of its own training examples rightly and "
            f"improves no more, while guessing by the most similar example is right for "
            f"{neighbours:.0%}: {count(weights, 'parameter')} should do better",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="train-accuracy", value=own, limit=neighbours - self.min_lead),
                Evidence(signal="neighbour-accuracy", value=neighbours),
            ),
            remedies=self._remedies(run),
        )

    def _remedies(self, run: Training) -> tuple[Remedy, ...]:
        """A larger net first, unless a large weight decay holds it down."""
        larger = Remedy(name="larger-net", text="Add units, or a hidden layer with a nonlinearity.")
        decay, _ = strongest_decay(run)
        if decay < self.large_decay:
            text = "Lower weight decay and dropout."
            return larger, Remedy(name="less-regularisation", text=text)
        text = (
            f"First lower weight_decay, from {number(decay)} to {number(decay / 10)}; dropout, too."
        )
        return Remedy(name="less-regularisation", text=text), larger
