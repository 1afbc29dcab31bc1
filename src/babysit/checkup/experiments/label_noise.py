from __future__ import annotations

from babysit.changes.data import HoldOut
from babysit.checkup.comparing import highest, refusal
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.series import Series
from babysit.text import percent
from babysit.trial import Result, Trial

FOLDS = (0, 1)
GAP = 0.05  # of accuracy between training and held-out examples, up to which nothing is learnt
# by heart yet: from there on a net is sure of its errors, too
SURE = 0.6  # share of the held-out examples of which it must be sure to be asked
MUCH = 0.05  # share, as the rule has it


class LabelNoise(Experiment):
    """One half of the data judges the labels of the other (D1).

    Counted are held-out examples that a net is sure belong to another class, at a time when it
    does not yet do better on what it has seen: later it is sure of its own errors as well.
    """

    question = "Are labels wrong?"
    order = 45
    writes = ("label-disagreement",)

    def cost(self, lab: Lab) -> float:
        return 2 * lab.cost(self._trial(lab, 0))

    def conduct(self, lab: Lab) -> Conduct:
        if not lab.are_classes:
            return not_tried("no classes are learnt")
        results = yield [self._trial(lab, fold) for fold in FOLDS]
        if (why := refusal(results)) is not None:
            return not_tried(why)
        shares = [disagreement(result) for result in results]
        if any(share is None for share in shares):
            return not_tried("the net is not sure enough of examples it has not seen")
        found = [share for share in shares if share is not None]
        lab.record("label-disagreement", found)
        is_much = min(found) >= MUCH
        said = f"about {percent(sum(found) / len(found))} of them contradict what the rest says"
        return Answer(
            verdict="unsound" if is_much else "sound",
            text=f"{'some' if is_much else 'few, if any'}: {said}",
            data={"disagreement": found},
        )

    def _trial(self, lab: Lab, fold: int) -> Trial:
        return lab.trial(f"half-{fold}", HoldOut(share=0.5, fold=fold))


def disagreement(result: Result) -> float | None:
    """The share of sure held-out examples that are labelled otherwise; ``None`` if few are sure."""
    sure, wrong = result.noted("held-out-sure"), result.noted("held-out-sure-wrong")
    seen, unseen = result.noted("training-accuracy"), result.noted("held-out-accuracy")
    if not len(sure) or not len(seen):
        return None
    best: float | None = None
    for window in windows(len(sure)):
        gap = mean(seen, window) - mean(unseen, window)
        share = mean(sure, window)
        if gap <= GAP and share >= SURE:
            best = mean(wrong, window) / share
    return best if best is not None and highest(unseen) > 0 else None


def windows(length: int) -> list[slice]:
    """Tenths of a curve, one after the other."""
    width = max(1, length // 10)
    return [slice(start, start + width) for start in range(0, length - width + 1, width)]


def mean(series: Series, window: slice) -> float:
    return float(series.values[window].mean())
