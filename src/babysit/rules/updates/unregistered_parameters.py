from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import stays
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, listing
from babysit.wiring import PARAMETER, Node, chain

WIRING = chain(
    Node(op=PARAMETER, parameter="last.weight"),
    Node(op=PARAMETER, parameter="blocks[0].weight", inputs=(0,)),
)
LAST = Parameter(name="last.weight", layer="last")
SERIES = {"blocks[0].weight": [0.5] * 4}


class UnregisteredParameters(Rule):
    """Layers hide in a plain list or dictionary, so that the model does not know of them.

    Why it matters:
        ``model.parameters()`` leaves them out: the optimizer never trains them,
        ``model.to(device)`` leaves them behind and ``state_dict()`` does not save them.

    How it decides:
        The loss reaches a trainable parameter that lies in a plain list, tuple or dictionary of
        its module, no optimizer holds it, and its values did not change over the sampled steps.

    What to do:
        Use ``nn.ModuleList``, ``nn.ModuleDict`` or ``nn.ParameterList`` instead.

    When it is wrong:
        A list beside registered layers is fine, and so are hidden layers that the script hands
        to an optimizer itself, frozen ones, and values updated by hand.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring", "optimizer", "gradient-rms")
    remedies = ("use-module-list",)
    explains = (
        "parameters-not-in-optimizer",
        "weights-not-updating",
        "loss-not-decreasing",
        "learning-rate-too-low",
        "underfitting",
        "update-ratio-imbalanced",
    )
    min_samples = threshold(
        default=3, unit="samples", why="two equal values may be chance; the first steps are sampled"
    )
    examples = (
        sick(
            wiring=WIRING,
            parameters=(LAST, Parameter(name="blocks[0].weight", layer="blocks[0]",
                                        optimized=False, registered=False)),
            optimizer=Optimizer(kind="SGD"),
            weight_rms=SERIES,
            gradient_rms=SERIES,
        ),
        healthy(
            wiring=WIRING,
            parameters=(LAST, Parameter(name="blocks[0].weight", layer="blocks[0]",
                                        registered=False)),
            optimizer=Optimizer(kind="SGD"),
            weight_rms=SERIES,
            gradient_rms=SERIES,
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Hidden parameters in the graph that nobody updates."""
        hidden = [
            parameter
            for parameter in run.reached
            if not parameter.registered and parameter.trainable and not parameter.optimized
            and stays(run, parameter.name, self.min_samples)
        ]  # fmt: skip
        if not hidden:
            return
        layers = sorted({p.layer or p.name for p in hidden})
        holder = layers[0].partition("[")[0]
        yield Finding(
            severity=self.severity,
            confidence=0.98,
            message=f"{count(len(hidden), 'parameter')} of {listing(f'`{x}`' for x in layers)} "
            f"are never updated: `{holder}` is a plain Python container, so "
            "`model.parameters()` does not know the layers in it",
            where=run.layer_place(layers[0]),
            evidence=(
                Evidence(signal="weight-rms", value=run.series("weight-rms", hidden[0].name).last,
                         limit="a change"),
            ),
            remedies=(
                Remedy(name="use-module-list",
                       text=f"Make `{holder}` an nn.ModuleList (nn.ModuleDict for a dictionary, "
                       "nn.ParameterList for bare parameters).",
                       change={"name": "add-missing-parameters"}),
            ),
        )  # fmt: skip
