"""Memory, debug switches, ranks."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

RESOURCES: Final[dict[str, Signal]] = {
    "kept-graphs": Signal(
        meaning="graphs of earlier sampled steps that are still alive",
        absent="the graph of no step could be read",
    ),
    "kept-graph-age": Signal(
        meaning="age in steps of the oldest graph of a sampled step that is still alive",
        absent="no graph outlived its step",
    ),
    "resident-megabytes": Signal(
        meaning="memory of the process, on sampled steps", absent="not known on this system"
    ),
    "anomaly-mode": Signal(
        meaning="1 at backwards that the script runs under autograd's anomaly detection",
        absent="anomaly detection was off",
    ),
    "profiler": Signal(
        meaning="1 at backwards that the script runs under an autograd profiler",
        absent="no profiler was on",
    ),
    "rank-difference": Signal(
        meaning="largest relative difference of replicated weights between ranks",
        absent="no replicated weights of several ranks were seen",
    ),
    "rank-batches-equal": Signal(
        meaning="1 when all ranks trained on the same batch, else 0",
        absent="no batches of several ranks were seen",
    ),
}
