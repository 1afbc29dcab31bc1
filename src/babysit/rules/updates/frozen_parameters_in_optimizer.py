from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, listing

FROZEN = Parameter(name="body.weight", layer="body", kind="Linear", trainable=False)
HEAD = Parameter(name="head.weight", layer="head", kind="Linear")


class FrozenParametersInOptimizer(Rule):
    """The optimizer holds layers that cannot change, and that were never trained.

    Why it matters:
        ``requires_grad=False`` keeps a layer as it is. A pretrained layer may well stay so; one
        that still has its random initial weights passes on random features for ever, and that it
        is in the optimizer says that it was meant to learn.

    How it decides:
        At the end, layers in the optimizer do not require a gradient, and their weights have
        the distribution of PyTorch's random initialisation, to which no training ever leads.

    What to do:
        Remove the line that freezes them; or, if they are meant to stay random, leave them out of
        the optimizer, so that intent and code agree.

    When it is wrong:
        Pretrained layers that are frozen and stay in the optimizer are common and harmless, and
        not reported; nor is a layer that is unfrozen later. A random projection by design
        is reported unless it is kept out of the optimizer.
    """

    since = "0.1"
    severity = "warning"
    needs = ("optimizer",)
    remedies = ("unfreeze", "leave-out-of-optimizer")
    explains = ("loss-not-decreasing", "learning-rate-too-low", "underfitting")
    min_steps = threshold(
        default=20, unit="steps", why="a layer frozen at first may be unfrozen after an epoch"
    )
    examples = (
        sick(steps=100, parameters=(FROZEN, HEAD), optimizer=Optimizer(kind="SGD"),
             facts={"frozen_layers": {"body": True}}),
        healthy(steps=100, parameters=(FROZEN, HEAD), optimizer=Optimizer(kind="SGD"),
                facts={"frozen_layers": {"body": False}}),
        healthy(steps=100, parameters=(Parameter(name="body.weight", layer="body", kind="Linear",
                                                 trainable=False, optimized=False), HEAD),
                optimizer=Optimizer(kind="SGD"), facts={"frozen_layers": {"body": True}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Frozen, in the optimizer, and as random as on the first day."""
        fresh = {
            layer for layer, is_fresh in run.facts.get("frozen_layers", {}).items() if is_fresh
        }
        frozen = [p for p in run.parameters.values() if not p.trainable and p.optimized]
        held = [parameter for parameter in frozen if parameter.layer in fresh]
        if not held or run.steps < self.min_steps:
            return
        layers = list(dict.fromkeys(parameter.layer for parameter in held))
        every = list(dict.fromkeys(parameter.layer for parameter in frozen))
        yield Finding(
            confidence=0.8,
            message=f"{count(len(frozen), 'parameter')} of {listing(f'`{x}`' for x in every)} are "
            "in the optimizer but frozen (requires_grad=False), with their random initial weights: "
            "they will never learn",
            where=run.layer_place(layers[0]),
            evidence=(
                Evidence(signal="frozen parameters", value=len(frozen), limit=0),
                Evidence(signal="weights", value="as initialised", limit="trained before"),
            ),
            remedies=(
                Remedy(name="unfreeze",
                       text="Remove the line that sets requires_grad to False for these layers, "
                       "or load their pretrained weights.",
                       change={"name": "unfreeze", "layers": every}),
                Remedy(name="leave-out-of-optimizer",
                       text="If they are meant to stay random, give the optimizer only those "
                       "parameters that require a gradient."),
            ),
        )  # fmt: skip
