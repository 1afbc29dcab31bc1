from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

LONG = {"lstms": {"lstm": {"bias": 0.01, "length": 150}}}


class ForgetBiasNotRaised(Rule):
    """An LSTM forgets half its memory at every step of a long sequence, and does not learn.

    Why it matters:
        With a forget bias of 0 the gate stands at one half: what was seen fifty steps ago has
        faded to nothing, and so has its gradient. A raised bias lets the LSTM remember first
        and learn what to forget.

    How it decides:
        An LSTM whose forget bias (input and recurrent part together) begins near 0 reads long
        sequences, *and* the training loss hardly falls.

    What to do:
        Set the forget part of the bias, the second quarter, to 1 or more; about the logarithm
        of the length that is to be remembered.

    When it is wrong:
        Long sequences need not hold long dependencies: an LSTM that learns is not reported. Nor
        are hand-written cells.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss",)
    remedies = ("raise-forget-bias",)
    explains = (
        "loss-not-decreasing",
        "vanishing-gradients",
        "learning-rate-too-low",
        "collapsed-outputs",
        "underfitting",
    )
    max_bias = threshold(
        default=0.5,
        unit="mean forget bias",
        why="PyTorch's default is 0 ± 0.2; 1 is the usual cure",
    )
    min_length = threshold(
        default=60,
        unit="time steps",
        why="one half to the power of 60 is less than float32 resolves",
    )
    max_drop = threshold(
        default=0.25,
        unit="share of the first loss that was lost by the end",
        why="the sick clinic loses nothing of its first loss, its healthy twin 99 %, LSTMs of the "
        "ward 94 % or more",
    )
    examples = (
        sick(facts=LONG, loss=[1.39] * 60),
        healthy(facts=LONG, loss=[1.39 / (1 + step) for step in range(60)]),
        healthy(facts={"lstms": {"lstm": {"bias": 1.0, "length": 150}}}, loss=[1.39] * 60),
    )

    def check(self, run: Training) -> Conclusions:
        """LSTMs with a low forget bias on long sequences, where the training is stuck."""
        loss = course(run.series("loss").values)
        if loss is None or loss.start <= 0 or loss.drop() > self.max_drop:
            return
        for layer, fact in run.facts.get("lstms", {}).items():
            bias, length = fact["bias"], fact["length"]
            if abs(bias) > self.max_bias or length < self.min_length:
                continue
            yield Finding(
                severity=self.severity,
                confidence=0.7,
                message=f"the LSTM `{layer}` reads sequences of {length} steps with a forget bias "
                f"of {number(bias)}: it begins by forgetting half of its memory at every step, and "
                f"the loss hardly falls",
                where=run.layer_place(layer),
                evidence=(
                    Evidence(signal="forget bias", value=round(bias, 3), limit=self.max_bias),
                    Evidence(signal="sequence length", value=length, limit=self.min_length),
                    Evidence(signal="loss", value=loss.drop(), limit=self.max_drop),
                ),
                remedies=(
                    Remedy(name="raise-forget-bias", text="Before training, fill the second "
                           "quarter of the layer's bias_ih_l0 (the forget gate) with 1 or "
                           "more: about the "
                           "logarithm of the length that must be remembered."),
                ),
            )  # fmt: skip
