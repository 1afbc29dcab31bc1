"""Values at the edge: NaN, operands near a border, half precision."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

NUMERICS: Final[dict[str, Signal]] = {
    "non-finite-share": Signal(
        meaning="share of NaN or Inf in the plain data that an operation of the graph reads",
        absent="no graph was read, or its data was finite",
    ),
    "non-finite-weights": Signal(
        meaning="share of NaN or Inf in a parameter or running statistic, where there is any",
        absent="every parameter that was read was finite",
    ),
    "closest-operand": Signal(
        meaning="operand of a log, exp, root, division … that came closest to where it is "
        "undefined or overflows",
        absent="no operation with a limited domain was seen in the graph",
    ),
    "half-peak": Signal(
        meaning="largest value that an operation made in float16; inf beyond 65504 and for NaN",
        absent="nothing was computed in float16",
    ),
    "half-share": Signal(
        meaning="share of the graph's operations computed in float16 or bfloat16",
        absent="the graph of no step could be read",
    ),
    "loss-scale": Signal(
        meaning="scale of an enabled GradScaler, on sampled steps and after skipped ones",
        absent="no GradScaler was seen",
    ),
    "scaled-steps": Signal(
        meaning="steps that an enabled GradScaler was asked to take, so far",
        absent="no GradScaler was seen",
    ),
    "skipped-steps": Signal(
        meaning="steps that the GradScaler skipped because of Inf or NaN gradients, so far",
        absent="no GradScaler was seen, or it never skipped a step",
    ),
    "skipped-in-a-row": Signal(
        meaning="steps skipped by the GradScaler one after another, up to now",
        absent="no GradScaler was seen, or it never skipped a step",
    ),
    "lost-share": Signal(
        meaning="share of a half-precision parameter's elements with a considerable gradient that "
        "an update left unchanged",
        absent="no parameter is trained in half precision",
    ),
}
