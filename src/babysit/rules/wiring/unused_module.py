from __future__ import annotations

from typing import Any

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, listing

USED = Parameter(name="token.weight", layer="token", kind="Embedding")
UNUSED = Parameter(name="position.weight", layer="position", kind="Embedding")
IDLE = {"samples": 9, "was_called": False, "is_whole": True, "is_fresh": True}


class UnusedModule(Rule):
    """A layer is part of the model, and the forward never uses it.

    Why it matters:
        Most likely a line is missing in ``forward``, or calls another layer twice: the net that
        trains is not the net that was meant.

    How it decides:
        A registered layer was never called at any sampled step, no loss ever reached its
        parameters, the optimizer holds them, and they are as PyTorch's random initialisation
        left them.

    What to do:
        Call it in ``forward``, or remove it.

    When it is wrong:
        Unused layers with loaded or otherwise trained weights (the head of a pretrained net)
        are not reported, nor are layers that stand in a list or dictionary beside used ones
        (experts, heads for several tasks), nor those whose weights are used without a call.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring", "optimizer", "gradient-rms")
    remedies = ("call-module",)
    explains = ("loss-not-decreasing", "underfitting")
    min_samples = threshold(
        default=5, unit="samples", why="conditional branches of 61 healthy programs ran by then"
    )
    min_steps = threshold(default=20, unit="steps", why="a branch may begin after some steps")
    examples = (
        sick(steps=100, parameters=(USED, UNUSED), optimizer=Optimizer(kind="SGD"),
             gradient_rms={"token.weight": [0.1] * 9},
             facts={"unreached_layers": {"position": IDLE}}),
        healthy(steps=100, parameters=(USED, UNUSED), optimizer=Optimizer(kind="SGD"),
                gradient_rms={"token.weight": [0.1] * 9},
                facts={"unreached_layers": {"position": {**IDLE, "is_fresh": False}}}),
        healthy(steps=100, parameters=(USED, UNUSED), optimizer=Optimizer(kind="SGD"),
                gradient_rms={"token.weight": [0.1] * 9}, facts={"unreached_layers": {}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Layers that never ran, though trainable and in the optimizer."""
        unreached = run.facts.get("unreached_layers", {})
        idle = {
            layer: facts
            for layer, facts in unreached.items()
            if facts and self._is_idle(run, layer, facts)
        }
        if run.steps < self.min_steps or not any(facts["is_fresh"] for facts in idle.values()):
            return
        layers = list(idle)
        without = [p for p in run.parameters.values() if p.layer in idle]
        yield Finding(
            confidence=0.9,
            message=f"the forward never uses {listing(f'`{layer}`' for layer in layers)}, though "
            f"the optimizer holds {count(len(without), 'parameter')} of it",
            where=run.layer_place(layers[0]),
            evidence=(
                Evidence(signal="calls", value=0, limit=1),
                Evidence(signal="samples", value=int(idle[layers[0]]["samples"])),
            ),
            remedies=(
                Remedy(name="call-module",
                       text=f"Call `{layers[0]}` in forward (perhaps another layer is called "
                       "twice in its place), or remove it from the model."),
            ),
        )  # fmt: skip

    def _is_idle(self, run: Training, layer: str, facts: dict[str, Any]) -> bool:
        own = [parameter for parameter in run.parameters.values() if parameter.layer == layer]
        is_trained = bool(own) and all(p.optimized and p.trainable for p in own)
        got = any(len(run.series("gradient-rms", parameter.name)) for parameter in own)
        is_alone = facts["is_whole"] and not facts.get("is_alternative")
        is_idle = is_alone and not facts["was_called"]
        return is_trained and is_idle and not got and facts["samples"] >= self.min_samples
