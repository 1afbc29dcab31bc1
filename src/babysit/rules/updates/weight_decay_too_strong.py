from __future__ import annotations

import numpy as np

from babysit.chance import accuracy_and_neighbours
from babysit.criteria import weight_penalty
from babysit.decay import share_and_pull, strongest_decay
from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import guessing_loss
from babysit.measures import Course, course, is_bounded_below, weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import number, percent

FC = (Parameter(name="fc.weight", shape=(8, 8)), Parameter(name="out.weight", shape=(8, 8)))
STRONG = Optimizer(kind="SGD", groups=({"lr": 0.1, "weight_decay": 0.5},))


def sizes(first: float, last: float) -> dict[str, list[float]]:
    """Both layers' sizes over ten samples, for the examples."""
    steps = np.geomspace(first, last, 10).tolist()
    return {"fc.weight": steps, "out.weight": steps}


class WeightDecayTooStrong(Rule):
    """Weight decay outweighs the gradient and shrinks the weights to nothing.

    Why it matters:
        The decay term should be a light brake. Where it pulls as hard as the loss, the weights
        end where the two cancel, far from what the data ask for, or at zero.

    How it decides:
        Three things together: the optimizer has weight decay, or the loss a penalty on weights;
        most weight matrices have shrunk far below their first size and gone on being pulled by the
        decay about as hard as by the gradient; and the loss has kept most of its first value. Or
        the decay pulls half as hard as the gradient, and the net classifies its own training
        examples worse than the most similar examples do.

    What to do:
        Divide the weight decay by 10 until the training loss falls; 1e-4 to 1e-2 is usual, for
        AdamW up to 0.1.

    When it is wrong:
        Weights before a normalisation may shrink freely and are left out, and so is any training
        whose loss has fallen well. Of a penalty written into the loss only the effect is judged.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss", "weight-rms", "gradient-rms", "optimizer")
    remedies = ("lower-weight-decay",)
    explains = (
        "loss-not-decreasing", "vanishing-gradients", "collapsed-outputs", "underfitting",
        "learning-rate-too-low", "constant-loss", "training-too-short", "dead-relu",
        "update-ratio-imbalanced", "optimizer-unsuited", "symmetric-initialisation",
    )  # fmt: skip
    min_decay = threshold(
        default=1e-3, unit="weight_decay", why="usual values reach 5e-4 for SGD; no case below"
    )
    max_size = threshold(
        default=0.5, unit="share of the first size",
        why="weights of 61 healthy programs end at 0.9 of their first size or above, under a "
        "decay of 0.01 at 0.78; the sick clinic at 0.26",
    )  # fmt: skip
    min_pull = threshold(
        default=0.8, unit="decay / gradient",
        why="at 1 both pull alike; of 24 healthy programs with decay the strongest pull was 0.03, "
        "against overfitting 0.48 helped; the sick clinic is pulled by 1.4",
    )  # fmt: skip
    max_drop = threshold(
        default=0.6, unit="share of the first loss", why="the loss of a fit that works falls more"
    )
    half_pull = threshold(
        default=0.4, unit="decay / gradient", why="decays of 0.1 that cost 0.12 of the accuracy "
        "pulled by 0.65 and 0.59; of healthy programs that outdo their neighbours some reach 0.47",
    )  # fmt: skip
    min_lag = threshold(
        default=0.08, unit="accuracy of neighbours above that of the net",
        why="142 healthy programs lag by 0.025 at most, but for one that weighs its classes",
    )  # fmt: skip
    examples = (
        sick(
            parameters=FC, loss=[2.3] * 100, optimizer=STRONG,
            weight_rms=sizes(0.1, 1e-6), gradient_rms=sizes(0.05, 5e-7),
        ),
        sick(
            parameters=FC, loss=[2.3] * 50 + [1.4] * 50, optimizer=STRONG,
            weight_rms=sizes(0.1, 0.1), gradient_rms=sizes(0.1, 0.1),
            train_accuracy=[0.8] * 100, neighbour_accuracy=[0.95],
        ),
        healthy(
            parameters=FC, loss=[2.3 * 0.97**step for step in range(100)], optimizer=STRONG,
            weight_rms=sizes(0.1, 0.2), gradient_rms=sizes(0.05, 0.01),
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Shrinking, pull and loss, over the matrices that no normalisation follows."""
        loss = course(run.series("loss").values)
        decay, _ = strongest_decay(run)
        if loss is None or not is_bounded_below(run):
            return
        if decay < self.min_decay:
            yield from self._by_penalty(run, loss)
            return
        if (found := share_and_pull(run)) is None:
            return
        share, pull = found
        own, neighbours = accuracy_and_neighbours(run) or (1.0, 0.0)
        lags = pull >= self.half_pull and neighbours - own >= self.min_lag
        is_small = share <= self.max_size and pull >= self.min_pull
        if not (is_small or lags) or loss.drop() > self.max_drop:
            return
        harm = (
            f"the weights are at {percent(share)} of their first size" if is_small else
            f"the net is right for {percent(own)}, the most similar example for "
            f"{percent(neighbours)}"
        )  # fmt: skip
        yield Finding(
            confidence=0.92 if share < 0.1 else 0.8,
            message=f"weight decay {number(decay)} is too strong: it pulls {number(pull)} times as "
            f"hard as the gradient, and {harm}; the loss ended at {number(loss.end)}, having "
            f"begun at {number(loss.start)}",
            where=run.optimizers[0].place,
            evidence=(
                Evidence(signal="weight-rms", value=share, limit=self.max_size),
                Evidence(signal="decay / gradient", value=pull, limit=self.min_pull),
            ),
            remedies=(
                Remedy(name="lower-weight-decay", text="Divide weight_decay by 10, to "
                       f"{number(decay / 10)}, until the training loss falls; 1e-4 … 1e-2 is "
                       "usual."),
            ),
        )  # fmt: skip

    def _by_penalty(self, run: Training, loss: Course) -> Conclusions:
        """A penalty in the loss under which all weights shrink while nothing is learnt."""
        where = next((p for w in run.wirings if (p := weight_penalty(w)) is not None), None)
        sizes = [run.series("weight-rms", name) for name in weights(run)]
        sizes = [size for size in sizes if len(size) > 3 and size.first]
        shares = [float(np.median(size.values[-2:])) / size.first for size in sizes]
        guessing = guessing_loss(run)
        is_guess = guessing is not None and loss.end > 0.9 * guessing
        if where is None or not shares or not (is_guess or loss.drop() < self.max_drop):
            return
        share = float(np.median(shares))
        if share <= self.max_size / 2:
            yield Finding(
                confidence=0.85,
                message="the penalty on the weights in the loss is too strong: they shrank to "
                f"{percent(share)} of their first size, and the loss ended at {number(loss.end)}",
                where=where,
                evidence=(Evidence(signal="weight-rms", value=share, limit=self.max_size / 2),),
                remedies=(
                    Remedy(name="lower-weight-decay", text="Divide the penalty's coefficient by 10 "
                           "until the training loss falls."),
                ),
            )  # fmt: skip
