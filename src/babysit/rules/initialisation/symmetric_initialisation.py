from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import listing, number

LAYERS = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d"})
W1 = (Parameter(name="fc1.weight", shape=(16, 8), layer="fc1", kind="Linear"),)
SIZE = {"fc1.weight": [1.0] * 4}


class SymmetricInitialisation(Rule):
    """All units of a layer began with the same weights.

    Why it matters:
        Equal units receive equal gradients and stay equal for ever: a layer of a hundred such
        units is worth one.

    How it decides:
        All units (rows, or columns in hand-written products) of a weight are the same at the
        first step *and* still the same after the next updates. Layers that begin at zero on
        purpose part ways with the first update. (Rounding may part equal units hundreds of
        steps later; much is lost by then.) A warning where the units of a linear or convolution
        layer began equal and not at zero, and other layers or dropout have parted them since.

    What to do:
        Leave the initialisation to the layer (``nn.Linear`` does it well), or use
        ``kaiming_uniform_``; only biases may begin equal.

    When it is wrong:
        A zero-initialised output layer, the second half of LoRA, the last layer of a residual
        branch and embeddings are not reported: their rows differ after one step.
    """

    since = "0.1"
    severity = "error"
    needs = ("unit-spread", "weight-rms")
    remedies = ("reinitialise",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "dead-relu",
        "vanishing-gradients",
        "collapsed-outputs",
        "class-imbalance",
    )
    max_start = threshold(
        default=1e-6, unit="spread / largest weight", why="equal up to the rounding of float32"
    )
    max_spread = threshold(
        default=1e-3,
        unit="spread / largest weight",
        why="rows that part at all are at 0.1 or more after three steps in every healthy training",
    )
    min_samples = threshold(
        default=4, unit="samples", why="one update parts any honest zero, a warm-up may delay it"
    )
    examples = (
        sick(parameters=W1, unit_spread={"fc1.weight": [0.0] * 6}, weight_rms=SIZE),
        sick(parameters=W1, unit_spread={"fc1.weight": [0.0, 0.9, 1.2, 1.4]}, weight_rms=SIZE),
        healthy(parameters=W1, unit_spread={"fc1.weight": [0.0, 0.9, 1.2, 1.4]},
                weight_rms={"fc1.weight": [0.0, 0.1, 0.1, 0.1]}),
        healthy(parameters=W1, unit_spread={"fc1.weight": [1.9] * 6}, weight_rms=SIZE),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Weights whose rows were and are the same; else those that only began so."""
        stuck = [p for p in weights(run).values() if self._is_symmetric(run, p)]
        # The last of them takes its symmetry from the units before it.
        equal = stuck[:-1] or stuck
        equal = equal or [p for p in weights(run).values() if self._began_equal(run, p)]
        if not equal:
            return
        layers = list(dict.fromkeys(p.layer or p.name for p in equal))
        spread = run.series("unit-spread", equal[0].name)
        size = number(run.series("weight-rms", equal[0].name).first)
        yield Finding(
            severity=self.severity if stuck else "warning",
            confidence=0.97 if stuck else 0.9,
            message=f"all units of `{layers[0]}` "
            + ("are the same and learn the same" if stuck else
               f"began with the same weights, of size {size}: they start out as one unit, and "
               "only what comes behind them tells them apart")
            + (f" (likewise {listing(f'`{x}`' for x in layers[1:])})" if layers[1:] else ""),
            where=run.origin(layers[0]) or run.layer_place(layers[0]),
            evidence=(
                Evidence(signal="unit-spread", value=spread.last, limit=self.max_spread,
                         steps=(int(spread.steps[0]), int(spread.steps[-1]))),
            ),
            remedies=(
                Remedy(name="reinitialise", text="Keep the layer's own initialisation, or draw the "
                       "weights at random: nn.init.kaiming_uniform_(layer.weight).",
                       change={"name": "reinitialise", "scheme": "kaiming"}),
            ),
        )  # fmt: skip

    def _began_equal(self, run: Training, parameter: Parameter) -> bool:
        """A layer's matrix whose units began equal, and not at zero, which may be meant."""
        spread = run.series("unit-spread", parameter.name).values
        size = run.series("weight-rms", parameter.name)
        is_layer = parameter.kind in LAYERS and parameter.optimized
        return is_layer and len(spread) > 0 and spread[0] <= self.max_start and size.first > 0

    def _is_symmetric(self, run: Training, parameter: Parameter) -> bool:
        spread = run.series("unit-spread", parameter.name).values
        first = spread[: int(self.min_samples)]
        return (
            parameter.optimized
            and len(first) == self.min_samples
            and first[0] <= self.max_start
            and bool(first.max() <= self.max_spread)
        )
