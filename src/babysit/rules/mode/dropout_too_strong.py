from __future__ import annotations

from babysit.evaluations import evaluations
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import course, is_bounded_below
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import DROPOUT, Node, Wiring, chain, share_kept, strongest_dropout


class DropoutTooStrong(Rule):
    """So much is dropped that the training itself suffers.

    Why it matters:
        Dropout keeps a net from learning by heart; when hardly anything gets through, it keeps it
        from learning at all. A rate of 0.2 is enough for simple nets, 0.5 the usual maximum.

    How it decides:
        Dropouts on the way from data to loss are multiplied (ways around them count as they are).
        Where they leave little, the training loss with dropout is compared with the evaluation
        without: reported when it lies far above and neither has fallen far from the start.

    What to do:
        A rate of 0.1 to 0.5, and dropout at fewer places; a wider layer if the rate must be high.

    When it is wrong:
        A high rate that costs nothing, because the layer is wide or the net must not fit (few
        examples), ends with a low loss and is not reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring", "loss")
    remedies = ("lower-dropout",)
    explains = ("underfitting", "loss-not-decreasing", "learning-rate-too-low",
                "training-too-short", "learning-rate-decay-due")  # fmt: skip
    max_dropped = threshold(
        default=0.6, unit="share of values dropped, all in a row",
        why="rates of 0.5 are usual (field practice); the sick clinic drops 0.96 in two layers",
    )  # fmt: skip
    min_ratio = threshold(
        default=1.5, unit="training loss over evaluation loss",
        why="the sick clinic lies at 2.4; without dropout both agree",
    )  # fmt: skip
    min_left = threshold(
        default=0.2, unit="share of the first training loss",
        why="healthy programs with dropout end at 0.02 to 0.15 of it",
    )  # fmt: skip
    _wiring = chain(Node(op="Addmm", inputs=(None,)), Node(op="Relu"),
                    Node(op=DROPOUT, facts={"p": 0.9}), Node(op="MseLoss"))  # fmt: skip
    stifling = threshold(
        default=0.8,
        unit="share of the values dropped in a row",
        why="a text classifier that dropped 0.96 learnt nothing; a wide layer at 0.8 learns",
    )
    choking = threshold(
        default=0.9,
        unit="share of the values dropped in a row",
        why="beyond it a loss that keeps half of its first value is enough; no healthy program "
        "drops so much",
    )
    min_fall = threshold(
        default=0.1, unit="share of the first loss", why="below this the loss has not fallen"
    )
    examples = (
        sick(wiring=_wiring, loss=[1 - 0.002 * i for i in range(200)],
             eval_loss={"t.py:9": {100: 0.4, 200: 0.25}}),
        healthy(wiring=_wiring, loss=[0.97**i for i in range(200)],
                eval_loss={"t.py:9": {100: 0.02, 200: 0.001}}),
        healthy(wiring=chain(Node(op="Addmm", inputs=(None,)), Node(op="MseLoss")),
                loss=[1 - 0.002 * i for i in range(200)],
                eval_loss={"t.py:9": {100: 0.4, 200: 0.25}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """First what is dropped, then what it costs."""
        wiring = max(run.wirings, key=lambda one: len(one.nodes))
        dropped = 1 - share_kept(wiring)
        if dropped <= self.max_dropped or not is_bounded_below(run):
            return
        training = course(run.series("loss").values)
        fall = self.min_fall if dropped < self.choking else 0.5
        if training is not None and dropped > self.stifling and training.drop() < fall:
            yield self._finding(
                run, wiring, f"the loss hardly fell, from {number(training.start)} to "
                f"{number(training.end)}", left=1 - training.drop(), sure=0.7,
            )  # fmt: skip
            return
        held_out = [series for series in evaluations(run).values() if len(series)]
        losses = set(run.places("eval-loss"))
        if not losses or not held_out:
            yield Unexamined(reason="no evaluation loss to compare the training loss with")
            return
        evaluated = min(series.last for series in held_out)
        if training is None or training.start <= 0 or evaluated <= 0:
            return
        ratio, left = training.end / evaluated, training.end / training.start
        if ratio < self.min_ratio or left < self.min_left:
            return
        if evaluated < self.min_left / 2 * training.start:
            return  # the net has learnt well in spite of it
        yield self._finding(
            run, wiring, f"the loss is {number(training.end)} with it and {number(evaluated)} "
            f"without, after {number(training.start)} at the start", left=left, sure=0.85,
        )  # fmt: skip

    def _finding(
        self, run: Training, wiring: Wiring, text: str, *, left: float, sure: float
    ) -> Finding:
        dropped = 1 - share_kept(wiring)
        return Finding(
            severity=self.severity,
            confidence=sure,
            message=f"dropout lets {percent(1 - dropped)} of the values through: {text}",
            where=strongest_dropout(wiring),
            evidence=(
                Evidence(signal="wiring", value=round(dropped, 3), limit=self.max_dropped),
                Evidence(signal="loss", value=round(left, 3), limit=self.min_left,
                         steps=(run.steps - 1,)),
            ),
            remedies=(
                Remedy(name="lower-dropout", text="Use a dropout rate of 0.1 to 0.5.",
                       change={"name": "set-dropout", "p": 0.2}),
            ),
        )  # fmt: skip
