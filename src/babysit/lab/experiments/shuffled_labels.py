from __future__ import annotations

from babysit.changes.data import ShuffleLabels
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import WAYS, changed, end, highest, lowest, plain, refusal
from babysit.text import number, percent
from babysit.trial import Result

SEEDS = (0, 1)
CLEAR = 0.03  # share of the loss with shuffled labels, as the rule has it
LEARNT = 0.01  # share by which a net that learns at all gets below the shuffled training loss
RIGHT = 0.05  # accuracy beyond that with shuffled labels


class ShuffledLabels(Experiment):
    """The training with its labels and with shuffled ones, judged on held-out examples (A6)."""

    question = "Do the labels belong to the inputs?"
    order = 35
    writes = ("real-labels-loss", "shuffled-labels-loss")

    def cost(self, lab: Lab) -> float:
        return 2 * lab.cost(plain(lab, 0))

    def conduct(self, lab: Lab) -> Conduct:
        has_learnt = False
        for way in WAYS:
            results = yield [
                *(changed(lab, "plain", seed, *way) if way else plain(lab, seed) for seed in SEEDS),
                *(changed(lab, "shuffled", seed, ShuffleLabels(), *way) for seed in SEEDS),
            ]
            if (why := refusal(results)) is not None:
                return not_tried(why)
            real, shuffled = results[: len(SEEDS)], results[len(SEEDS) :]
            if not all(len(one.noted("held-out-loss")) for one in results):
                return not_tried("too few examples to hold any out")
            has_learnt |= max(training(real)) < (1 - LEARNT) * min(training(shuffled))
            if is_better(real, shuffled):
                return self._conclude(lab, real, shuffled, is_sound=True)
        if not has_learnt:
            return not_tried("the net learns nothing in these steps, by its labels or by shuffled")
        return self._conclude(lab, real, shuffled, is_sound=False)

    def _conclude(
        self, lab: Lab, real: list[Result], shuffled: list[Result], *, is_sound: bool
    ) -> Answer:
        by_real, by_shuffled = held_out(real), held_out(shuffled)
        lab.record("real-labels-loss", by_real)
        lab.record("shuffled-labels-loss", by_shuffled)
        with_labels, without = sum(by_real) / len(real), sum(by_shuffled) / len(shuffled)
        said = f"held-out loss {number(with_labels)} with them, {number(without)} with shuffled"
        accuracies = [accuracy(real), accuracy(shuffled)]
        if accuracies[0] > 0:
            said += f" (accuracy {percent(accuracies[0])}, {percent(accuracies[1])})"
        return Answer(
            verdict="sound" if is_sound else "unsound",
            text=f"{'yes' if is_sound else 'no'}: {said}",
            data={"real": by_real, "shuffled": by_shuffled, "accuracy": accuracies},
        )


def is_better(real: list[Result], shuffled: list[Result]) -> bool:
    """Whether held-out examples show that the labels mean something."""
    with_labels, without = held_out(real), held_out(shuffled)
    gain = (sum(without) - sum(with_labels)) / abs(sum(without) or 1.0)
    return gain >= CLEAR or accuracy(real) > accuracy(shuffled) + RIGHT


def held_out(results: list[Result]) -> list[float]:
    return [lowest(one.noted("held-out-loss")) for one in results]


def training(results: list[Result]) -> list[float]:
    return [end(one.noted("training-loss")) for one in results]


def accuracy(results: list[Result]) -> float:
    """The best share of held-out examples that was right, 0 where there are no classes."""
    found = [highest(one.noted("held-out-accuracy")) for one in results]
    return sum(found) / len(found) if found and found[0] == found[0] else 0.0
