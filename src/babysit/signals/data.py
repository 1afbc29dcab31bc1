"""Inputs, targets, labels and batches."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

DATA: Final[dict[str, Signal]] = {
    "input-columns": Signal(
        meaning="number of input columns or channels", absent="too little plain data was seen"
    ),
    "constant-columns": Signal(
        meaning="number of input columns or channels with one value in all sampled batches",
        absent="too little plain data was seen",
    ),
    "columns-at-zero": Signal(
        meaning="share of the changing input columns whose lowest value is zero",
        absent="too little plain data was seen",
    ),
    "first-constant-column": Signal(
        meaning="number of the first input column that never changes, from 0",
        absent="every input column changes",
    ),
    "input-rms": Signal(
        meaning="root mean square of what enters a first layer",
        absent="no first layer fed with plain data was seen",
    ),
    "input-scale": Signal(
        meaning="per-feature root mean square of the input: the largest over the median",
        absent="no first layer fed with plain data was seen",
    ),
    "fed-mean": Signal(
        meaning="mean of what a model is fed with in training, by the model's class",
        absent="no torch.nn.Module was called in training",
    ),
    "fed-std": Signal(
        meaning="standard deviation of what a model is fed with in training",
        absent="no torch.nn.Module was called in training",
    ),
    "evaluated-mean": Signal(
        meaning="mean of what the model is fed with in evaluations, by the line that calls it",
        absent="no evaluation of the model was seen",
    ),
    "evaluated-std": Signal(
        meaning="standard deviation of what the model is fed with in evaluations",
        absent="no evaluation of the model was seen",
    ),
    "trained-share": Signal(
        meaning="share of the examples that a line evaluates which were seen in training batches",
        absent="no evaluation was seen whose examples can be told apart",
    ),
    "same-batch-share": Signal(
        meaning="share of sampled steps that were fed with the very values of the one before",
        absent="no torch.nn.Module was called in training",
    ),
    "repeated-share": Signal(
        meaning="share of a loader's training batches that equal the batch before",
        absent="no DataLoader was seen",
    ),
    "label-purity": Signal(
        meaning="share of a sampled batch that belongs to its commonest class",
        absent="no classification loss with one label an example was seen",
    ),
    "label-leader": Signal(
        meaning="the commonest class of a sampled batch of eight examples or more",
        absent="no classification by single labels was seen",
    ),
    "label-majority": Signal(
        meaning="share of the commonest class in all sampled batches so far",
        absent="no classification loss with one label an example was seen",
    ),
    "target-min": Signal(
        meaning="smallest target of a sampled batch, by the kind of loss that reads it",
        absent="no loss with a target was seen",
    ),
    "target-max": Signal(
        meaning="largest target of a sampled batch", absent="no loss with a target was seen"
    ),
    "target-mean": Signal(
        meaning="mean target of a sampled batch", absent="no loss with a target was seen"
    ),
    "target-std": Signal(
        meaning="standard deviation of the targets of a sampled batch",
        absent="no loss with a target was seen",
    ),
    "target-column-std": Signal(
        meaning="standard deviation of a target's columns over the examples of a sampled batch",
        absent="no loss with rows of targets was seen",
    ),
    "target-integers": Signal(
        meaning="1 when all targets of a sampled batch are whole numbers",
        absent="no loss with a target was seen",
    ),
    "target-binary": Signal(
        meaning="1 when all targets of a sampled batch are 0 or 1",
        absent="no loss with a target was seen",
    ),
    "target-distinct": Signal(
        meaning="number of different targets in a sampled batch, of 512 at most",
        absent="no loss with a target was seen",
    ),
    "target-one-hot": Signal(
        meaning="1 when every target row of a sampled batch is one-hot",
        absent="no loss with rows of targets was seen",
    ),
    "target-many-hot": Signal(
        meaning="1 when target rows are of 0 and 1 and some have several ones",
        absent="no loss with rows of targets was seen",
    ),
    "target-is-input": Signal(
        meaning="1 when the targets are the model's own input",
        absent="no loss compares the output with the input",
    ),
    "target-unreachable": Signal(
        meaning="share of regression targets outside the last activation's range",
        absent="no regression on a bounded output was seen",
    ),
    "target-spread": Signal(
        meaning="standard deviation of the targets over the examples of a batch; for classes the "
        "share of labels unlike the first",
        absent="no loss with a target was seen",
    ),
    "label-share": Signal(
        meaning="share of each class among the labels of all sampled batches so far",
        absent="no classification loss was seen",
    ),
    "class-recall": Signal(
        meaning="share of a class's recent examples that the training classified rightly",
        absent="no classification loss was seen",
    ),
    "classes-seen": Signal(
        meaning="number of different classes among the labels of all sampled batches so far",
        absent="no classification loss was seen",
    ),
    "labels-seen": Signal(
        meaning="number of labels in all sampled batches so far",
        absent="no classification loss was seen",
    ),
}
