from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import listing

W1 = (Parameter(name="fc1.weight", shape=(16, 8), layer="fc1"),)


class SymmetricInitialisation(Rule):
    """All units of a layer began with the same weights and have stayed the same.

    Why it matters:
        Equal units receive equal gradients and stay equal for ever: a layer of a hundred such
        units is worth one.

    How it decides:
        All units (rows, or columns in hand-written products) of a weight are the same at the
        first step *and* still the same after the next updates. Layers that begin at zero on
        purpose part ways with the first update. (Rounding may part equal units hundreds of
        steps later; much is lost by then.)

    What to do:
        Leave the initialisation to the layer (``nn.Linear`` does it well), or use
        ``kaiming_uniform_``; only biases may begin equal.

    When it is wrong:
        A zero-initialised output layer, the second half of LoRA, the last layer of a residual
        branch and embeddings are not reported: their rows differ after one step.
    """

    since = "0.1"
    severity = "error"
    needs = ("unit-spread",)
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
        sick(parameters=W1, unit_spread={"fc1.weight": [0.0] * 6}),
        healthy(parameters=W1, unit_spread={"fc1.weight": [0.0, 0.9, 1.2, 1.4]}),
        healthy(parameters=W1, unit_spread={"fc1.weight": [1.9] * 6}),
    )

    def check(self, run: Training) -> Conclusions:
        """Weights whose rows were and are the same."""
        stuck = [p for p in weights(run).values() if self._is_symmetric(run, p)]
        if not stuck:
            return
        # The last of them takes its symmetry from the units before it.
        stuck = stuck[:-1] or stuck
        layers = list(dict.fromkeys(p.layer or p.name for p in stuck))
        spread = run.series("unit-spread", stuck[0].name)
        yield Finding(
            severity=self.severity,
            confidence=0.97,
            message=f"all units of `{layers[0]}` are the same and learn the same"
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

    def _is_symmetric(self, run: Training, parameter: Parameter) -> bool:
        spread = run.series("unit-spread", parameter.name).values
        first = spread[: int(self.min_samples)]
        return (
            parameter.optimized
            and len(first) == self.min_samples
            and first[0] <= self.max_start
            and bool(first.max() <= self.max_spread)
        )
