"""How well the model does: on its batches, in evaluations, as the script logs it."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

QUALITY: Final[dict[str, Signal]] = {
    "train-accuracy": Signal(
        meaning="share of a sampled batch that the training classified rightly",
        absent="no classification loss was seen",
    ),
    "neighbour-accuracy": Signal(
        meaning="share of examples whose class most of their nearest other examples have",
        absent="no classification of plain inputs was seen, or of too few examples",
    ),
    "regression-error": Signal(
        meaning="root mean square error of a regression, relative to the targets' standard "
        "deviation",
        absent="no regression was seen",
    ),
    "eval-loss": Signal(
        meaning="mean loss of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "eval-accuracy": Signal(
        meaning="accuracy of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "logged": Signal(
        meaning="what the script logged under a name", absent="the script logged no metric"
    ),
}
