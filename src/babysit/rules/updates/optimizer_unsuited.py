from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, update_ratios
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import number, percent

TABLE = Parameter(name="words.weight", shape=(3000, 16), layer="words", kind="Embedding")
LINEAR = Parameter(name="out.weight", shape=(6, 16), layer="out", kind="Linear")
PLAIN = Optimizer(kind="SGD", groups=({"lr": 0.1, "momentum": 0},))
RECORD = {
    "parameters": (TABLE, LINEAR),
    "loss": [1.8] * 400,
    "weight_rms": {"words.weight": [1.0] * 10, "out.weight": [0.2] * 10},
    "rows_touched": {"words": [0.1] * 10},
}


class OptimizerUnsuited(Rule):
    """Plain SGD trains an embedding whose rows rarely get a gradient, and they hardly move.

    Why it matters:
        A row learns only when its word comes up. Under one rate for all, rare rows move a
        hundred times less than the layers behind them; adaptive methods give each its own rate.

    How it decides:
        The optimizer is SGD without momentum, a batch looks up a small part of the rows, and
        over the whole training the embedding moved by a small part of its size while the
        layers behind it moved by many times more; and the loss has kept most of its first value.

    What to do:
        Use Adam, Adagrad or, with ``sparse=True``, SparseAdam; or give the embedding a rate of its
        own.

    When it is wrong:
        Pretrained embeddings may rest on purpose; where weights were loaded, or the loss has
        fallen well, nothing is said.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss", "rows-touched", "update-rms", "optimizer")
    remedies = ("use-adam",)
    explains = ("underfitting", "training-too-short", "update-ratio-imbalanced",
                "loss-not-decreasing", "learning-rate-too-low")  # fmt: skip
    max_rows = threshold(
        default=0.4, unit="share of the rows", why="beyond this every row is seen every few steps"
    )
    max_travel = threshold(
        default=0.05,
        unit="share of the table's size",
        why="the sick clinic moved its table by 0.004 in all, under Adam it moves by 1.3; "
        "tables of healthy programs move by 0.3 to 7",
    )
    min_contrast = threshold(
        default=30,
        unit="times",
        why="layers of healthy nets move 1 to 27 times as far as their tables, in the sick clinic "
        "1,077 times",
    )
    max_drop = threshold(
        default=0.5, unit="share of the first loss", why="a loss that has halved shows learning"
    )
    examples = (
        sick(
            optimizer=PLAIN,
            update_rms={"words.weight": [1e-5] * 10, "out.weight": [2e-3] * 10},
            **RECORD,
        ),
        healthy(
            optimizer=PLAIN,
            update_rms={"words.weight": [1e-2] * 10, "out.weight": [2e-3] * 10},
            **RECORD,
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Every embedding that is looked up sparsely."""
        groups = [group for optimizer in run.optimizers for group in optimizer.groups]
        is_plain = all(o.kind == "SGD" for o in run.optimizers)
        if not is_plain or any(group.get("momentum") for group in groups):
            return
        loss = course(run.series("loss").values)
        others = [float(np.mean(ratios)) for ratios in update_ratios(run).values()]
        if loss is None or not others or run.facts.get("has_loaded_weights"):
            return
        if loss.drop() > self.max_drop:
            return
        for parameter in run.parameters.values():
            rows = run.series("rows-touched", parameter.layer)
            sizes = run.series("weight-rms", parameter.name)
            updates = run.series("update-rms", parameter.name)
            is_table = "Embedding" in parameter.kind and len(parameter.shape) == 2
            if not is_table or not len(rows) or not len(updates) or not parameter.trainable:
                continue
            share = float(np.median(rows.values))
            ratio = float(np.mean(updates.values)) / max(sizes.first, 1e-12)
            contrast = float(np.median(others)) / max(ratio, 1e-12)
            travel = ratio * run.steps
            if share < self.max_rows and travel < self.max_travel and contrast > self.min_contrast:
                yield Finding(
                    severity=self.severity,
                    confidence=0.85,
                    message=f"plain SGD hardly moves the embedding `{parameter.layer}`: a batch "
                    f"looks up {percent(share)} of its {parameter.shape[0]:,} rows, and in "
                    f"{run.steps:,} steps it changed by {percent(travel)} of its size, the layers "
                    f"behind it {number(contrast)} times as much",
                    where=run.optimizers[0].place,
                    evidence=(
                        Evidence(signal="travel", value=travel, limit=self.max_travel),
                        Evidence(signal="contrast", value=contrast, limit=self.min_contrast),
                    ),
                    remedies=(
                        Remedy(name="use-adam", text="Use torch.optim.Adam (rate about 1e-3 … "
                               "1e-2) or Adagrad; they give every row a rate of its own."),
                    ),
                )  # fmt: skip
