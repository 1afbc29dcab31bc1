from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import label_entropy, sole_loss
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import listing, percent
from babysit.wiring import Node, chain

PLAIN = {"reduction": 1.0, "has_weight": 0.0}
CLASSES = chain(
    Node(op="Addmm"), Node(op="LogSoftmax", shape=(80, 3)), Node(op="NllLoss", facts=PLAIN)
)
SHARES = {"0": [0.95] * 9, "1": [0.03] * 9, "2": [0.02] * 9}


JUDGED = ("NllLoss", "BinaryCrossEntropy", "BinaryCrossEntropyWithLogits")


class ClassImbalance(Rule):
    """Some classes have few examples, are not learnt, and nothing is done about it.

    Why it matters:
        The loss sums over examples, so a class of a few per cent hardly counts: the net learns
        to answer with the frequent class, the accuracy looks fine, and the rare classes, often
        those that matter, are never found.

    How it decides:
        One class makes up most of the labels in the batches and another is at least ten times
        rarer; of the recent examples of the rare class next to none is classified rightly, while
        the frequent class is, and the loss has come down to what the class shares explain. The
        loss has no class weights.

    What to do:
        Class weights in the loss, a WeightedRandomSampler, or more examples of the rare classes;
        and judge by recall or average precision, not by accuracy.

    When it is wrong:
        Imbalance by nature whose rare class is learnt is not reported, nor are weighted losses
        and balanced batches. With two classes it is only an advice: a calibrated score may rank
        well without ever passing one half.
    """

    since = "0.1"
    severity = "warning"
    needs = ("label-share", "class-recall", "loss")
    remedies = ("weight-classes", "balance-batches")
    explains = ("imbalanced-output-bias", "underfitting", "loss-not-decreasing")
    max_ratio = threshold(
        default=0.1, unit="share of a class / share of the largest", why="ten times rarer is where "
        "practice begins to speak of imbalance; digits and wines stay above 0.5",
    )  # fmt: skip
    max_recall = threshold(
        default=0.05,
        unit="recall of the rare class over the later sampled batches",
        why="the 2 % class of a ward program has 0.99, with a weighted loss; the sick clinic has 0",
    )
    min_majority = threshold(
        default=0.5, unit="share of the largest class", why="letters of a text or words have no "
        "majority, and rare ones are rightly never the likeliest",
    )  # fmt: skip
    max_recall_of_two = threshold(
        default=0.35,
        unit="recall of the rarer of two classes",
        why="of two classes an advice, and given earlier: most of the rare class is missed",
    )
    min_steps = threshold(default=50, unit="steps", why="rare classes are learnt last")
    examples = (
        sick(steps=300, wiring=CLASSES, loss=[1.1] * 50 + [0.2] * 250, label_share=SHARES,
             class_recall={"0": [1.0] * 9, "1": [0.0] * 9, "2": [0.0] * 9}),
        healthy(steps=300, wiring=CLASSES, loss=[1.1] * 50 + [0.2] * 250, label_share=SHARES,
                class_recall={"0": [1.0] * 9, "1": [0.6] * 9, "2": [0.4] * 9}),
        healthy(steps=300, wiring=CLASSES, loss=[1.1] * 300, label_share=SHARES,
                class_recall={"0": [0.4] * 9, "1": [0.0] * 9, "2": [0.3] * 9}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Rare classes that were not learnt although the shares were."""
        node = sole_loss(run)
        shares = {name: series.last for name, series in run.places("label-share").items()}
        if node is None or node.op not in JUDGED or node.facts.get("has_weight"):
            return
        if len(shares) < 2 or run.steps < self.min_steps:
            return
        largest = max(shares, key=lambda name: shares[name])
        recall = run.series("class-recall", largest)
        entropy, loss = label_entropy(run), run.series("loss").values
        late = loss[-max(1, len(loss) // 10) :].mean()
        if shares[largest] < self.min_majority or not len(recall) or recall.last < 0.8:
            return
        if entropy is None or late > 1.15 * entropy:
            return
        limit = self.max_recall_of_two if len(shares) == 2 else self.max_recall
        lost = [name for name in shares if self._is_lost(run, name, shares, largest, limit)]
        if lost:
            yield self._finding(run, shares, lost, largest, limit)

    def _finding(
        self, run: Training, shares: dict[str, float], lost: list[str], largest: str, limit: float
    ) -> Finding:
        named = listing(f"{name} ({percent(shares[name])})" for name in lost)
        one = len(lost) == 1
        right = max(run.series("class-recall", name).last for name in lost)
        return Finding(
            severity="advice" if len(shares) == 2 else self.severity,
            confidence=0.85,
            message=f"{'class' if one else 'classes'} {named} of the labels "
            f"{'is' if one else 'are'} not learnt: {percent(right) if right else 'none'} of "
            f"{'its' if one else 'their'} examples are classified rightly, while class {largest} "
            f"has {percent(shares[largest])} of the labels; the loss has no class weights and the "
            "batches are not balanced",
            where=run.wirings[0].loss_place(len(run.wirings[0].nodes) - 1),
            evidence=(
                Evidence(signal="label-share", value=round(shares[lost[0]], 4),
                         limit=self.max_ratio * shares[largest]),
                Evidence(signal="class-recall", value=right, limit=limit),
            ),
            remedies=(
                Remedy(name="weight-classes", text="Give the loss class weights: "
                       "nn.CrossEntropyLoss(weight=total / (num_classes * counts))."),
                Remedy(name="balance-batches", text="Or draw the rare classes more often with "
                       "torch.utils.data.WeightedRandomSampler; judge by recall, not accuracy."),
            ),
        )  # fmt: skip

    def _is_lost(
        self, run: Training, name: str, shares: dict[str, float], largest: str, limit: float
    ) -> bool:
        """Whether a class is rare and its latest samples show no recall."""
        recalls = run.series("class-recall", name).values
        recalls = recalls[len(recalls) // 2 :][-3:]
        is_rare = 0 < shares[name] <= self.max_ratio * shares[largest]
        return is_rare and len(recalls) > 0 and recalls.max() <= limit
