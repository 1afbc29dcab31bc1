from __future__ import annotations

from dataclasses import replace
from typing import Any

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, listing

ENCODER = Parameter(name="encoder.weight", layer="encoder", kind="Linear")
DECODER = Parameter(name="decoder.weight", layer="decoder", kind="Linear")
RAN = {
    "samples": 9,
    "was_called": True,
    "is_whole": True,
    "is_fresh": True,
    "rank": 0,
    "in_training_mode": True,
    "has_gradients_on": True,
    "is_fed_by_gradients": False,
}


class ParametersWithoutGradient(Rule):
    """Layers run and are in the optimizer, but the loss never reaches their parameters.

    Why it matters:
        Something cuts the graph behind them (``detach``, ``no_grad``, ``.data``, a detour over
        NumPy): they keep their random weights, and the rest of the net learns from noise.

    How it decides:
        At every sampled step the layer ran in training mode and the graph of the loss did not
        hold its parameters, while other parameters got gradients. The first such layer reads
        plain data, so that the cut lies behind it. Or nothing that the optimizer holds of the
        model takes part in the loss at all.

    What to do:
        Remove the ``detach``, ``no_grad``, ``.data`` or NumPy call between the layer and the loss.

    When it is wrong:
        Layers behind the trained part whose output no loss uses (an auxiliary head, a pooler)
        are not reported, nor are those that ran in eval mode, that do not look freshly
        initialised (pretrained features), that change by other means (moving averages), or that
        belong to no optimizer.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring", "optimizer", "gradient-rms")
    remedies = ("keep-the-graph",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "underfitting",
        "unused-module",
        "update-ratio-imbalanced",
    )
    min_samples = threshold(
        default=5,
        unit="samples",
        why="a critic's first steps leave a generator unreached for 1 to 3 samples; in two healthy "
        "programs layers stay unreached (a target network, checkpointing), told apart otherwise",
    )
    min_steps = threshold(
        default=10, unit="steps", why="a first stage may train one half of a net alone"
    )
    examples = (
        sick(steps=50, parameters=(ENCODER, DECODER), optimizer=Optimizer(kind="Adam"),
             wiring=None, gradient_rms={"decoder.weight": [0.1] * 9},
             facts={"unreached_layers": {"encoder": RAN}}),
        healthy(steps=50, parameters=(ENCODER, DECODER), optimizer=Optimizer(kind="Adam"),
                gradient_rms={"decoder.weight": [0.1] * 9},
                facts={"unreached_layers": {"encoder": {**RAN, "is_fed_by_gradients": True}}}),
        healthy(steps=50, parameters=(ENCODER, DECODER), optimizer=Optimizer(kind="Adam"),
                gradient_rms={"decoder.weight": [0.1] * 9},
                facts={"unreached_layers": {"encoder": None}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Layers that ran in vain, the first of them fed with plain data."""
        ran = {
            layer: facts
            for layer, facts in run.facts.get("unreached_layers", {}).items()
            if facts and self._ran_in_vain(run, layer, facts)
        }
        ordered = sorted(ran, key=lambda layer: int(ran[layer]["rank"]))
        if run.steps < self.min_steps:
            return
        yield from self._none_reached(run)
        if not ordered:
            return
        first, last = ran[ordered[0]], ran[ordered[-1]]
        is_fresh = any(facts["is_fresh"] for facts in ran.values())
        if first["is_fed_by_gradients"] or not is_fresh:
            return
        without = [p for p in run.parameters.values() if p.layer in ran]
        is_off = not first["has_gradients_on"]
        yield Finding(
            severity="warning" if is_off else self.severity,
            confidence=0.8 if is_off else 0.95,
            message=f"the loss never reaches {count(len(without), 'parameter')} of "
            f"{listing(f'`{layer}`' for layer in ordered)}: they are in the optimizer, the layers "
            + ("run under no_grad" if is_off else "run, but something behind them cuts the graph")
            + ", and no gradient ever arrived",
            where=Place(**{**(last.get("place") or {}), "layer": ordered[-1]}),
            evidence=(
                Evidence(signal="samples without gradient", value=int(first["samples"]), limit=0),
            ),
            remedies=(
                Remedy(name="keep-the-graph",
                       text="Remove what takes the value out of the graph between this layer and "
                       "the loss: .detach(), .data, .item(), .numpy() or torch.no_grad(). If the "
                       "layers are meant to stay, set requires_grad_(False) on them."),
            ),
        )  # fmt: skip

    def _none_reached(self, run: Training) -> Conclusions:
        """An optimizer of which nothing takes part in the loss, although it is the model's own."""
        held = [p for p in run.parameters.values() if p.optimized and p.trainable]
        own = [p for p in held if p.in_model]
        missing = len(run.series("without-gradient"))
        if not own or any(p in run.reached for p in held) or missing < run.steps - 1:
            return
        layers = list(dict.fromkeys(p.layer or p.name for p in own))
        place = run.source_of_rate()
        yield Finding(
            severity=self.severity,
            confidence=0.95,
            message=f"the loss reaches none of the {count(len(own), 'parameter')} in the "
            f"optimizer ({listing(f'`{layer}`' for layer in layers)}): the forward pass does not "
            "use them, and no gradient ever arrived",
            where=replace(place, layer=layers[0]) if place else run.layer_place(layers[0]),
            evidence=(Evidence(signal="steps without gradient", value=missing, limit=0),),
            remedies=(
                Remedy(name="keep-the-graph", text="Have the forward pass use these layers (look "
                       "for a switch, a fused copy or a return before them), or give the optimizer "
                       "what it does use."),
            ),
        )  # fmt: skip

    def _ran_in_vain(self, run: Training, layer: str, facts: dict[str, Any]) -> bool:
        own = [parameter for parameter in run.parameters.values() if parameter.layer == layer]
        changes = any(
            len(values := run.series("weight-rms", parameter.name).values) > 1
            and values.max() != values.min()
            for parameter in own
        )
        got = any(len(run.series("gradient-rms", parameter.name)) for parameter in own)
        is_trained = bool(own) and all(p.optimized and p.trainable for p in own)
        ran = facts.get("rank") is not None and facts["in_training_mode"] and facts["is_whole"]
        enough = facts["samples"] >= self.min_samples
        return is_trained and ran and enough and not changes and not got
