from __future__ import annotations

from babysit import autopsy
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import percent
from babysit.wiring import Node, Wiring

LOSSES = ("Loss", "BinaryCrossEntropy", "KlDiv")


class NonFiniteInput(Rule):
    """NaN or Inf stands in the data that reaches the model or the loss.

    Why it matters:
        One such value, missing or computed, makes its example's loss NaN, the batch's mean NaN,
        and after one step every weight. Where a mask hides the example's loss, its gradient is
        still NaN.

    How it decides:
        The graph of a sampled step, or of the first bad loss, keeps what its first layers and its
        loss were given: tensors without a gradient, which are data. Those are looked through.

    What to do:
        Find the examples with ``torch.isfinite(x).all(dim=1)``; leave them out, or fill the gaps
        (with the mean of the column) before the data reaches the model.

    When it is wrong:
        Infinite attention masks are added to scores and are not data of a layer. Gaps that the
        script fills or leaves out before the model are never seen.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    reads_autopsies = True
    remedies = ("check-data",)
    explains = (
        "non-finite-loss", "non-finite-gradient", "non-finite-parameter", "loss-not-decreasing",
        "dead-relu", "weights-not-updating", "unnormalised-inputs", "collapsed-outputs",
        "half-precision-overflow", "unsafe-operation", "learning-rate-too-high",
    )  # fmt: skip
    examples = (
        sick(non_finite_share={"Addmm 0": {0: 0.02}},
             wiring=Wiring(nodes=(Node(op="Addmm", layer="fc1"),))),
        sick(non_finite_share={"MseLoss 0": [0.0, 0.1]},
             wiring=Wiring(nodes=(Node(op="MseLoss"),))),
        healthy(loss=[1.0], wiring=Wiring(nodes=(Node(op="Addmm", layer="fc1"),))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first operation that was given such data."""
        watched = autopsy.exact(run)
        if watched is None:
            yield from self._in_graphs(run)
        elif "data" in (watched.phase, watched.arrived) and not is_infinite_weight(run, 0):
            is_computed = watched.arrived is None and watched.birth.get("by") != "numpy"
            what = "NaN or Inf is made of the data before the model" if is_computed else (
                "NaN or Inf is in the data"
            )  # fmt: skip
            yield autopsy.finding(watched, run, what)

    def _in_graphs(self, run: Training) -> Conclusions:
        """What the graphs of sampled steps were given."""
        found = {
            label: (int(series.steps[series.values > 0][0]), float(series.values.max()))
            for label, series in run.places("non-finite-share").items()
            if (series.values > 0).any()
        }
        if not found:
            return
        first = min(step for step, _ in found.values())
        label = min(found, key=lambda one: found[one][0])
        if is_infinite_weight(run, first):
            return
        node = run.labelled(label)
        layer = node.layer if node is not None else None
        role = "the targets of the loss hold" if is_loss(label) else (
            f"the data that enters `{layer}` holds" if layer else "the data of the model holds"
        )  # fmt: skip
        where = node.place if node is not None else None
        if is_loss(label):
            where = run.source("backward")
        elif layer:
            where = run.layer_place(layer)
        yield Finding(
            severity=self.severity,
            confidence=0.99,
            message=f"{role} NaN or Inf: {percent(found[label][1])} of the values of a batch at "
            f"step {first}",
            where=where,
            first_step=first,
            evidence=(
                Evidence(signal="non-finite-share", value=found[label][1], limit=0, steps=(first,)),
                *autopsy.evidence(autopsy.of(run)),
            ),
            remedies=(
                Remedy(name="check-data", text="Find these examples with torch.isfinite, and "
                       "leave them out or fill the gaps before they reach the model."),
            ),
        )  # fmt: skip


def is_loss(label: str) -> bool:
    return any(name in label for name in LOSSES)


def is_infinite_weight(run: Training, step: int) -> bool:
    """Whether a frozen model before it made them: its own weights are the cause."""
    return any(series.at(step) for series in run.places("non-finite-weights").values())
