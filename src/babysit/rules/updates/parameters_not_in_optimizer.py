from __future__ import annotations

from dataclasses import replace

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, listing
from babysit.wiring import PARAMETER, Node, chain

WIRING = chain(
    Node(op=PARAMETER, parameter="a.weight"), Node(op=PARAMETER, parameter="b.weight", inputs=(0,))
)
SERIES = {"b.weight": [0.5] * 4}


class ParametersNotInOptimizer(Rule):
    """Trainable parameters receive gradients and belong to no optimizer.

    Why it matters:
        They keep their random initial values: part of the net never learns.

    How it decides:
        The graph of the loss reaches the parameter, it requires a gradient and has one, no
        living optimizer holds it, and its values did not change over the sampled steps.

    What to do:
        Give the optimizer all parameters (``model.parameters()``), build it after the model is
        complete, or say that they are fixed: ``requires_grad_(False)``.

    When it is wrong:
        Parameters of another optimizer (GAN), values updated by hand or as a moving average,
        and inputs that are optimised themselves (style transfer) are not reported. If part of
        the model is meant to stay fixed, freeze it: that also saves its gradients.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring", "optimizer", "gradient-rms")
    remedies = ("add-to-optimizer",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "collapsed-outputs",
        "class-imbalance",
    )
    min_samples = threshold(
        default=3, unit="samples", why="two equal values may be chance; the first steps are sampled"
    )
    examples = (
        sick(
            wiring=WIRING,
            parameters=(Parameter(name="a.weight"), Parameter(name="b.weight", optimized=False)),
            optimizer=Optimizer(kind="SGD"),
            weight_rms=SERIES,
            gradient_rms=SERIES,
        ),
        healthy(
            wiring=WIRING,
            parameters=(Parameter(name="a.weight"), Parameter(name="b.weight")),
            optimizer=Optimizer(kind="SGD"),
            weight_rms=SERIES,
            gradient_rms=SERIES,
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Parameters in the graph that nobody updates, if others are updated."""
        known = run.reached
        if not any(p.optimized and (p.in_model or p in known) for p in run.parameters.values()):
            return  # the optimizer holds nothing of this model: weights-not-updating
        if any(parameter.optimized and not parameter.is_parameter for parameter in known):
            # Bare tensors are optimised: of a model's parameters it may be meant to leave alone.
            known = [parameter for parameter in known if not parameter.is_parameter]
        missing = [
            p
            for p in known
            if p.trainable and not p.optimized and p.is_parameter and self._stays(run, p)
        ]  # a bare tensor beside parameters is data that the loss differentiates by
        if not missing:
            return
        layers = list(dict.fromkeys(p.layer or p.name for p in missing))
        place = run.optimizers[0].place
        where = run.layer_place(layers[0])
        yield Finding(
            severity=self.severity,
            confidence=0.97,
            message=f"{count(len(missing), 'parameter')} of {listing(f'`{x}`' for x in layers)} "
            "get gradients, but no optimizer updates them",
            where=replace(place, layer=layers[0], op=run.optimizers[0].kind) if place else where,
            evidence=(
                Evidence(signal="weight-rms", value=run.series("weight-rms", missing[0].name).last,
                         limit="a change"),
            ),
            remedies=(
                Remedy(name="add-to-optimizer",
                       text="Give the optimizer model.parameters(), after the model is complete "
                       "(layers in a plain list are missing there: use nn.ModuleList); "
                       "or freeze them with requires_grad_(False) if they are meant to stay.",
                       change={"name": "add-missing-parameters"}),
            ),
        )  # fmt: skip

    def _stays(self, run: Training, parameter: Parameter) -> bool:
        values = run.series("weight-rms", parameter.name).values
        gradients = run.series("gradient-rms", parameter.name).values
        enough = len(values) >= self.min_samples and len(gradients) >= self.min_samples
        return enough and bool((values == values[0]).all()) and bool((gradients > 0).any())
