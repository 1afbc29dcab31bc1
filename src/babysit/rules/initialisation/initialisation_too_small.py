from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, waits
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import NORMS, Node, chain

PLAIN = chain(Node(op="Addmm"), Node(op="Relu"), Node(op="MseLoss"))
FADING = {"a": [1.0], "b": [0.1], "c": [0.01], "d": [0.001]}


class InitialisationTooSmall(Rule):
    """Initial weights so small that activations shrink to nothing with depth.

    Why it matters:
        Every layer multiplies the scale of what passes by its weights' size times the root of
        its fan-in. Below one, the signal fades layer by layer, the gradient likewise on its
        way back, and the net does not learn, or only after a long wait.

    How it decides:
        At the first step the values that reach the later layers are orders of magnitude below
        one, because most layers' weights are far smaller than fan-in asks for; *and* the loss
        waits: a good part of the training passes before it has fallen at all.

    What to do:
        He initialisation (``kaiming_normal_``) for ReLU, Xavier for tanh, or PyTorch's default.

    When it is wrong:
        Normalisation layers restore the scale: nets with them are not reported. Nor are small
        or zero last layers, adapters, embeddings, nor nets that learn at once all the same.
    """

    since = "0.1"
    severity = "warning"
    needs = ("activation-rms", "layer-gain", "wiring")
    remedies = ("reinitialise",)
    explains = (
        "vanishing-gradients",
        "loss-not-decreasing",
        "learning-rate-too-low",
        "dead-relu",
        "collapsed-outputs",
        "underfitting",
        "update-ratio-imbalanced",
        "training-too-short",
    )
    max_scale = threshold(
        default=0.02,
        unit="root mean square of what reaches a layer",
        why="35 healthy programs stay above 0.049; six layers of 0.02 * randn give 1e-5",
    )
    max_gain = threshold(
        default=0.35,
        unit="root mean square of the weights times root of fan-in",
        why="theory asks 1 (Xavier) or 1.41 (He); PyTorch's default, which trains, gives 0.58",
    )
    min_wait = threshold(
        default=0.15,
        unit="share of the training",
        why="healthy programs have lost a quarter of what they will lose after 0.02 to 0.08; the "
        "sick clinic never does",
    )
    min_layers = threshold(default=3, unit="layers", why="in two layers Adam mends it within steps")
    examples = (
        sick(wiring=PLAIN, activation_rms=FADING, layer_gain={n: [0.15] for n in "abcd"},
             loss=[2.3] * 40),
        healthy(wiring=PLAIN, activation_rms=FADING, layer_gain={n: [0.15] for n in "abcd"},
                loss=[2.3 / (1 + step) for step in range(40)]),
        healthy(wiring=PLAIN, activation_rms={n: [0.8] for n in "abcd"},
                layer_gain={n: [1.4] for n in "abcd"}, loss=[2.3] * 40),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Follow the scale from layer to layer, then see whether the loss waits."""
        scales = {n: s.first for n, s in run.places("activation-rms").items() if len(s)}
        gains = {n: s.first for n, s in run.places("layer-gain").items() if len(s)}
        names = list(scales)
        has_norm = any(node.op in NORMS for wiring in run.wirings for node in wiring.nodes)
        if len(names) < self.min_layers or has_norm:
            return
        hidden = names[1:]
        weakest = min(hidden, key=lambda name: scales[name])
        weak = [name for name in names[:-1] if 0 < gains[name] < self.max_gain]
        falls = scales[weakest] < 0.1 * scales[hidden[0]] or len(hidden) == 2
        if not 0 < scales[weakest] < self.max_scale or 2 * len(weak) < len(names) or not falls:
            return
        loss = course(run.series("loss").values)
        if loss is None:
            return
        wait = waits(run, loss.start - 0.25 * (loss.start - loss.best)) if loss.falls else 1.0
        if wait < self.min_wait:
            return
        waited = f"{percent(wait)} of the training passed" if wait < 1 else "the training ended"
        yield Finding(
            confidence=0.9,
            message=f"the initial weights are too small: `{weak[0]}` enlarges its input by "
            f"{number(gains[weak[0]])} where about 1 is meant, and by `{weakest}` the signal has "
            f"shrunk to {number(scales[weakest])}; {waited} before the loss fell",
            where=run.origin(weak[0]) or run.layer_place(weak[0]),
            evidence=(
                Evidence(signal="activation-rms", value=scales[weakest], limit=self.max_scale,
                         steps=(0,)),
                Evidence(signal="layer-gain", value=gains[weak[0]], limit=self.max_gain,
                         steps=(0,)),
            ),
            remedies=(
                Remedy(name="reinitialise", text="Scale the weights by fan-in: "
                       "nn.init.kaiming_normal_(weight, nonlinearity='relu') for ReLU, "
                       "xavier_uniform_ for tanh, or leave PyTorch's default.",
                       change={"name": "reinitialise", "scheme": "kaiming"}),
            ),
        )  # fmt: skip
