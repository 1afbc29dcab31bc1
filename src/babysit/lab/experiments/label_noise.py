from __future__ import annotations

from babysit.changes.data import HoldOut
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import refusal
from babysit.series import Series
from babysit.text import percent
from babysit.trial import Result, Trial

FOLDS = (0, 1)
GAP = 0.05  # of accuracy between training and held-out examples, up to which nothing is learnt
# by heart: from there on a net is sure of its own errors, too
FLAT = 0.6  # where a task is hard a net errs less where it is sure; labels are wrong everywhere
LEARNT = 0.9  # of the first held-out loss, down to which something has been learnt
MOST = 0.4  # wrong among the surest, beyond which it is the net that has learnt too little
MUCH = 0.05  # share, as the rule has it


class LabelNoise(Experiment):
    """One half of the data judges the labels of the other (D1).

    Counted are held-out examples that a net is surest of and that are labelled otherwise, at a
    time when it does no better on what it has seen. Where a task is hard, errors are rarer where a
    net is sure; where labels are wrong, they are not.
    """

    question = "Are labels wrong?"
    order = 45
    writes = ("label-disagreement",)

    def cost(self, lab: Lab) -> float:
        return 2 * lab.cost(self._trial(lab, 0))

    def conduct(self, lab: Lab) -> Conduct:
        if not lab.are_classes:
            return not_tried("no classes are learnt, or no loss of labels was seen")
        results = yield [self._trial(lab, fold) for fold in FOLDS]
        if (why := refusal(results)) is not None:
            return not_tried(why)
        shares = [disagreement(result) for result in results]
        if any(share is None for share in shares):
            return not_tried("the net has learnt too little, or by heart, of what it has seen")
        found = [share for share in shares if share is not None]
        lab.record("label-disagreement", found)
        is_much = min(found) >= MUCH
        said = f"{percent(sum(found) / len(found))} of those it is surest of are labelled otherwise"
        return Answer(
            verdict="unsound" if is_much else "sound",
            text=f"{'some' if is_much else 'few, if any'}: {said}",
            data={"disagreement": found},
        )

    def _trial(self, lab: Lab, fold: int) -> Trial:
        return lab.trial(f"half-{fold}", HoldOut(share=0.5, fold=fold))


def disagreement(result: Result) -> float | None:
    """The share of wrong labels among the surest held-out examples; ``None`` if it cannot tell."""
    surest, following = result.noted("held-out-surest-wrong"), result.noted("held-out-next-wrong")
    seen, unseen = result.noted("training-accuracy"), result.noted("held-out-accuracy")
    losses = result.noted("held-out-loss")
    length = min(map(len, (surest, seen, unseen, losses)))
    fit = [w for w in windows(length) if mean(seen, w) - mean(unseen, w) <= GAP]
    if not fit:
        return None
    best = min(fit, key=lambda window: mean(losses, window))
    wrong, then = mean(surest, best), mean(following, best)
    if mean(losses, best) > LEARNT * mean(losses, slice(0, max(1, length // 100))):
        return None
    if wrong > MOST:
        return None
    return wrong if wrong >= FLAT * then else 0.0


def windows(length: int) -> list[slice]:
    """Fifths of a curve, each from the middle of the one before."""
    width = max(1, length // 5)
    return [slice(start, start + width) for start in range(0, length - width + 1, width // 2 or 1)]


def mean(series: Series, window: slice) -> float:
    return float(series.values[window].mean())
