from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, sensitivities
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import number

DEEP = tuple(Parameter(name=f"layers.{i}.weight", shape=(8, 8)) for i in range(6))
SIZES = {f"layers.{i}.weight": [0.3] * 9 for i in range(6)}


class ExplodingGradients(Rule):
    """Gradients grow with depth or time until a step along them means nothing.

    Why it matters:
        On the way back each layer or time step multiplies the gradient. Where the product grows,
        the early layers are told to make changes that the loss's surface does not support: the
        steps are random leaps, or end in NaN.

    How it decides:
        The loss reacts to a weight a hundred times more strongly than usual (norms of gradient
        and weight, multiplied, over the loss) at most sampled steps; the reaction grows from the
        last layers to the first, or the layer is a recurrent one; and the loss does not fall well.

    What to do:
        Residual connections for depth, gated cells (LSTM, GRU) and clipping for time; He or
        Xavier initialisation.

    When it is wrong:
        A loss, inputs or weights that are merely large do not raise this measure. Gradients that
        are clipped are judged as clipped. Single bursts are left to gradient-spikes.
    """

    since = "0.1"
    severity = "error"
    needs = ("gradient-rms", "loss")
    remedies = ("add-residuals", "clip-gradients")
    explains = (
        "loss-not-decreasing",
        "loss-oscillating",
        "loss-diverging",
        "training-too-short",
        "learning-rate-too-high",
        "non-finite-loss",
        "non-finite-gradient",
        "update-ratio-imbalanced",
        "underfitting",
        "dead-relu",
        "gradient-spikes",
        "vanishing-gradients",
    )
    max_reaction = threshold(
        default=60,
        unit="|gradient| x |weight| / loss",
        why="median of 88 healthy programs at most 11, their single highest 40; 520 in the clinic",
    )
    min_growth = threshold(
        default=30,
        unit="first third / last third of the weights",
        why="healthy programs lie below 19, a WGAN aside (150, where the reaction is 3); 265 in "
        "the clinic, a plain net of 40 normalised layers",
    )
    max_drop = threshold(
        default=0.5,
        unit="share of the first loss",
        why="the clinic loses 0.04 of its first loss; 0.96 with residual connections",
    )
    examples = (
        sick(
            parameters=DEEP,
            loss=[2.3] * 100,
            weight_rms=SIZES,
            gradient_rms={f"layers.{i}.weight": [10.0 ** (3 - i)] * 9 for i in range(6)},
        ),
        healthy(
            parameters=DEEP,
            loss=[2.3] * 100,
            weight_rms=SIZES,
            gradient_rms={f"layers.{i}.weight": [0.01] * 9 for i in range(6)},
        ),
        healthy(  # a summed loss: everything is large
            parameters=DEEP,
            loss=[2300.0] * 100,
            weight_rms=SIZES,
            gradient_rms={f"layers.{i}.weight": [50.0] * 9 for i in range(6)},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Reactions by weight; the strongest against those of the last layers."""
        reactions = sensitivities(run)
        if not reactions or self._falls(run):
            return
        names = list(reactions)
        typical = {name: float(np.median(list(reactions[name].values()))) for name in names}
        worst = max(names, key=lambda name: typical[name])
        third = max(1, len(names) // 3)
        late = max(typical[name] for name in names[-third:])
        growth = typical[worst] / max(late, 1e-12)
        is_recurrent = run.parameters[worst].kind in ("RNN", "LSTM", "GRU")
        is_deep = len(names) >= 3 and growth > self.min_growth
        if typical[worst] <= self.max_reaction or not (is_deep or is_recurrent):
            return
        layer = run.parameters[worst].layer or worst
        over = "time" if is_recurrent and not is_deep else "depth"
        steps = tuple(reactions[worst])
        yield Finding(
            severity=self.severity,
            confidence=0.9,
            message=f"gradients explode over {over}: the loss reacts to `{layer}` "
            f"{number(growth)} times more strongly than to the last layers, and "
            f"{number(typical[worst])} times its own size to a change of that weight's size",
            where=run.layer_place(layer),
            evidence=(
                Evidence(signal="reaction", value=typical[worst], limit=self.max_reaction,
                         steps=(steps[0], steps[-1])),
                Evidence(signal="growth", value=growth, limit=self.min_growth),
            ),
            remedies=(
                Remedy(name="add-residuals",
                       text="Add residual connections (x = x + block(x)), so that the gradient has "
                       "a way past the layers; for long sequences use an LSTM or a GRU."),
                Remedy(name="clip-gradients",
                       text="Clip the gradient's norm between backward() and step(): "
                       "torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0).",
                       change={"name": "clip-gradients", "max_norm": 5}),
            ),
        )  # fmt: skip

    def _falls(self, run: Training) -> bool:
        values = run.series("loss").values
        loss = course(values)
        if len(values) and not np.isfinite(values[-1]):
            return False
        return loss is None or loss.drop() > self.max_drop
