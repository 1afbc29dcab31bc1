"""Train and eval modes, batch norm, dropout."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

MODES: Final[dict[str, Signal]] = {
    "in-eval-mode": Signal(
        meaning="share of dropout and batch norm layers in eval mode, while the model is",
        absent="the model was in train mode, or no layer of it behaves differently in eval mode",
    ),
    "model-in-eval-mode": Signal(
        meaning="1 when the outermost model was in eval mode during backward",
        absent="no torch.nn.Module was seen",
    ),
    "active-dropouts": Signal(
        meaning="number of dropouts between data and loss that dropped values",
        absent="the graph of no step could be read",
    ),
    "evaluation-in-train-mode": Signal(
        meaning="share of a model's dropout and batch norm layers in train mode while it was "
        "evaluated, by the line that called it",
        absent="no evaluation of a model with dropout or batch norm was seen",
    ),
    "evaluation-dropout": Signal(
        meaning="rate of a dropout that was on in an evaluation although its module was in eval "
        "mode, by its line",
        absent="every dropout followed its module's mode",
    ),
    "evaluation-with-gradients": Signal(
        meaning="calls of the model in eval mode whose graph no backward used, per evaluation, by "
        "the line that called it",
        absent="no evaluation built a graph",
    ),
    "batch-norm-values": Signal(
        meaning="values per channel that a batch norm in train mode averaged",
        absent="no batch norm in train mode was seen",
    ),
    "batch-norm-mismatch": Signal(
        meaning="Kullback-Leibler divergence of a batch from a batch norm's running statistics, "
        "mean over channels, in nats",
        absent="the model has no batch norm with running statistics",
    ),
    "batch-norm-start-left": Signal(
        meaning="share of a batch norm's first running statistics (mean 0, variance 1) that is "
        "still in them",
        absent="the model has no batch norm with running statistics",
    ),
}
