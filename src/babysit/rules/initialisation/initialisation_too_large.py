from __future__ import annotations

from math import inf

from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import guessing_alone
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import listing, number, percent
from babysit.wiring import Node, chain

CLASSES = chain(
    Node(op="Addmm", layer="a"),
    Node(op="LogSoftmax", shape=(32, 10)),
    Node(op="NllLoss", facts={"reduction": 1}),
)


class InitialisationTooLarge(Rule):
    """Initial weights so large that activations saturate or scores are huge at the first step.

    Why it matters:
        Weights of unit size enlarge what passes a layer by the root of its fan-in. Sigmoid and
        tanh then stand at their ends and pass no gradient; scores of a classifier are in the
        tens, so it starts out sure of wrong answers and spends its time undoing them.

    How it decides:
        At the first step a layer's weights, by root of fan-in, enlarge their input several times
        over and give values far above one; *and* it shows: units stand at their ends, the first
        loss is a multiple of guessing, or the first regression error is of the targets' spread.

    What to do:
        He initialisation for ReLU, Xavier for tanh, or PyTorch's default.

    When it is wrong:
        Layers whose output is normalised at once, inputs that are themselves large (see
        unnormalised-inputs), embeddings, and nets that start with an ordinary loss are left out.
    """

    since = "0.1"
    severity = "warning"
    needs = ("activation-rms", "layer-gain")
    remedies = ("reinitialise",)
    explains = (
        "saturated-activations",
        "unexpected-initial-loss",
        "exploding-gradients",
        "vanishing-gradients",
        "loss-not-decreasing",
        "loss-oscillating",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "collapsed-outputs",
        "non-finite-loss",
        "dead-relu",
        "underfitting",
        "gradient-spikes",
    )
    min_gain = threshold(
        default=3,
        unit="root mean square of the weights times root of fan-in",
        why="35 healthy programs stay below 1.5 (theory: 1 to 1.41); unit normal weights of 13 to "
        "40 inputs give 3.5 to 6.6",
    )
    min_output = threshold(
        default=3,
        unit="root mean square of a layer's output",
        why="a tanh at 3 passes one per cent",
    )
    min_loss = threshold(
        default=2,
        unit="first loss / loss of guessing",
        why="20 healthy classifiers start at 1.5 times or less; unit normal weights at 6 times",
    )
    min_saturated = threshold(
        default=0.3,
        unit="share of a layer's units at the first samples",
        why="tanh units on 784 normal inputs: none with Xavier, 0.9 with unit normal weights; on "
        "256 inputs 0.1 and on 64 none, so narrower nets are found by their first loss",
    )
    min_error = threshold(
        default=4, unit="first error / targets' standard deviation",
        why="zero predictions of normalised targets give 1",
    )  # fmt: skip
    min_scores = threshold(
        default=100, unit="root mean square of a layer's output",
        why="several layers that enlarge in a row; healthy programs with such layers stay below 10",
    )  # fmt: skip
    examples = (
        sick(wiring=CLASSES, activation_rms={"a": [1.0]}, layer_gain={"a": [8.0]},
             loss=[9.0, 8.0, 7.0]),
        healthy(wiring=CLASSES, activation_rms={"a": [1.0]}, layer_gain={"a": [8.0]},
                loss=[2.4, 2.0, 1.0]),
        healthy(wiring=CLASSES, activation_rms={"a": [40.0]}, layer_gain={"a": [0.6]},
                loss=[9.0, 8.0, 7.0]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Layers that enlarge too much, where the first steps show it."""
        scales, gains = run.places("activation-rms"), run.places("layer-gain")
        embedded = {p.layer for p in run.parameters.values() if "Embedding" in p.kind}
        foreign = {p.name for p in run.parameters.values() if not p.is_own}  # inputs with gradients
        large = [
            name
            for name, gain in gains.items()
            if gain.first > self.min_gain
            and name not in embedded
            and name not in foreign
            and gain.first * scales[name].first > self.min_output
            and not any(wiring.is_normalised(name) for wiring in run.wirings[:1])
        ]
        shown = self._shows(run, large) if large else None
        if shown is None:
            return
        text, evidence = shown
        worst = max(large, key=lambda name: gains[name].first)
        gain = gains[worst].first
        yield Finding(
            confidence=0.9,
            message=f"the initial weights of {listing(f'`{name}`' for name in large)} are too "
            f"large: `{worst}` enlarges its input {number(gain)} times where 1 to 1.4 is meant, "
            f"and {text}",
            where=run.origin(large[0]) or run.layer_place(large[0]),
            evidence=(
                Evidence(signal="layer-gain", value=gain, limit=self.min_gain, steps=(0,)),
                evidence,
            ),
            remedies=(
                Remedy(name="reinitialise", text="Scale the weights by fan-in: "
                       "nn.init.kaiming_normal_(weight, nonlinearity='relu') for ReLU, "
                       "xavier_uniform_ for tanh, or leave PyTorch's default.",
                       change={"name": "reinitialise", "scheme": "kaiming"}),
            ),
        )  # fmt: skip

    def _shows(self, run: Training, large: list[str]) -> tuple[str, Evidence] | None:
        """What the first steps suffer from, in words, and the evidence."""
        for name in large:
            ends = run.series("saturated-share", name)
            if len(ends) and ends.first > self.min_saturated:
                share = Evidence(signal="saturated-share", value=ends.first,
                                 limit=self.min_saturated)  # fmt: skip
                return f"{percent(ends.first)} of the units after `{name}` saturate", share
        chance, loss = guessing_alone(run), run.series("loss")
        if chance and len(loss) and self.min_loss * chance < loss.first < inf:
            limit = self.min_loss * chance
            seen = Evidence(signal="loss", value=loss.first, limit=limit, steps=(0,))
            return f"the first loss is {number(loss.first)}; guessing costs {number(chance)}", seen
        for error in run.places("regression-error").values():
            if error.first > self.min_error:
                seen = Evidence(signal="regression-error", value=error.first, limit=self.min_error)
                return f"the first error is {number(error.first)} times the targets' spread", seen
        outputs = {n: run.series("layer-gain", n).first * run.series("activation-rms", n).first
                   for n in large}  # fmt: skip
        highest = max(outputs, key=lambda name: outputs[name])
        if len(large) > 1 and self.min_scores < outputs[highest] < inf:
            seen = Evidence(signal="activation-rms", value=outputs[highest], limit=self.min_scores)
            return f"the values behind `{highest}` begin at {number(outputs[highest])}", seen
        return None
