"""What reports call the values that findings are based on, in words instead of identifiers.

Evidence names a signal or a quantity derived from signals; JSON keeps that name. A name that is
plain English once its hyphens are gone needs no entry here.
"""

from __future__ import annotations

import re
from typing import Final

LABELS: Final = {
    "activation-rms": "size of the layer's input (root mean square)",
    "active-dropouts": "dropouts that were on",
    "anomaly-mode": "steps under anomaly detection",
    "autopsy": "found by",
    "blackbox": "black box, to make the value again",
    "batch-norm-mismatch": "distance of the batches from the running statistics (nats)",
    "batch-norm-start-left": "share of the initial statistics still in the running ones",
    "batch-norm-values": "values that batch norm averages",
    "batch-size": "examples in a batch",
    "clamped steps": "share of steps with clamped gradients",
    "class-recall": "share of the class's examples classified rightly",
    "classes-seen": "classes",
    "clip-in-vain": "steps clipped before backward",
    "clip-of-scaled-gradients": "steps clipped while gradients were scaled",
    "clipped steps": "share of steps clipped",
    "closest-operand": "value nearest to the limit",
    "contrast": "change of the layers behind it, relative to its own",
    "cross-example-influence": "influence of the other examples on an output",
    "data-seconds": "share of the time spent waiting for data",
    "dead-share": "share of units that are dead",
    "decay / gradient": "weight decay, relative to the gradient",
    "dim": "dimension",
    "eval-accuracy": "accuracy in evaluation",
    "eval-loss": "loss in evaluation",
    "evaluated-mean": "mean of the inputs in evaluation",
    "evaluated-std": "standard deviation of the inputs in evaluation",
    "evaluation-dropout": "rate of the dropout in evaluation",
    "evaluation-in-train-mode": "mode during evaluation",
    "evaluation-with-gradients": "calls in an evaluation that built a graph",
    "gradient-agreement": "agreement of successive gradients (cosine)",
    "gradient-error": "relative error of the gradient",
    "gradient-norm": "norm of all gradients",
    "gradient-ratio": "gradient of the first layers, relative to the last",
    "gradients-kept": "share of steps that kept older gradients",
    "growth": "reaction to the first layers, relative to the last",
    "half-peak": "largest value in float16",
    "half-share": "share of operations in half precision",
    "imbalance": "largest relative update over the smallest",
    "in-eval-mode": "share of steps in eval mode",
    "input-rms": "size of the inputs (root mean square)",
    "kept-graph-age": "age of the oldest graph still in memory, in steps",
    "label-disagreement": "share of labels that other trials contradict",
    "label-majority": "largest class's share of all batches looked at",
    "label-purity": "largest class's share of a single batch",
    "label-share": "share of the labels",
    "layer-gain": "factor by which the layer enlarges its input",
    "logged": "logged value",
    "loss-drop": "fall of the loss, as a share of its first value",
    "loss-leap": "highest loss, relative to the first",
    "loss-left": "share of the first loss that is left",
    "loss-term": "largest term of the loss, relative to the smallest",
    "loss-without-graph": "steps whose loss had no graph",
    "lost-share": "share of updates lost to rounding",
    "neighbour-accuracy": "accuracy of answering as the nearest examples do",
    "non-finite-share": "share of NaN or Inf in the data",
    "non-finite-weights": "share of NaN or Inf among the weights",
    "norm / limit": "norm of the gradients, relative to the clipping limit",
    "optimizer-rebuilt": "times the optimizer was built anew",
    "output-spread": "spread of the outputs over a batch",
    "pace": "how fast the loss still falls (log loss by log steps)",
    "parameters-per-example": "parameters for each example",
    "preactivation-rms": "size of the first layer's output (root mean square)",
    "probability-error": "distance of exp(output) from summing to 1",
    "progress": "progress of the loss, as a share of its level",
    "rank-batches-equal": "share of steps with equal batches on all ranks",
    "rank-difference": "largest relative difference of weights between ranks",
    "rate-dead-share": "share of steps with next to no learning rate",
    "rate-zero-share": "share of steps with a learning rate of 0",
    "reaction": "reaction of the loss to the weight (|gradient| × |weight| / loss)",
    "recurrent-gradient-norm": "norm of the recurrent weight's gradient",
    "regression-error": "error, relative to always answering the mean",
    "repeated-share": "share of batches that repeat the one before",
    "rise-share": "rise of the evaluation's loss, as a share of its gain before",
    "same-batch-share": "share of steps on one and the same batch",
    "samples without gradient": "steps looked at in which it got no gradient",
    "samples": "steps looked at",
    "saturated-share": "share of units that are saturated",
    "share above ignorance": "share of the training spent above the loss of guessing",
    "skipped-in-a-row": "steps skipped in a row",
    "summed": "examples added up",
    "swing / level": "swing of the loss, relative to its level",
    "swing / loss-noise": "swing of the loss, relative to the noise of its batches",
    "target-mean": "mean of the targets",
    "target-std": "standard deviation of the targets",
    "target-unreachable": "share of targets that the output cannot reach",
    "train-accuracy": "accuracy on the training batches",
    "trained-share": "share of the evaluated examples that were trained on",
    "travel": "all updates together, relative to the size of the weights",
    "unit-spread": "largest difference between units, relative to the weights",
    "update-ratio": "update of the weights in a step, relative to their size",
    "weight-rms": "size of the weights (root mean square)",
    "wiring": "operations",
    "without-gradient": "steps that found no gradient",
}
OPERATIONS: Final = {
    "Addmm": "linear layer",
    "Mm": "linear layer",
    "Linear": "linear layer",
    "Convolution": "convolution",
    "NativeBatchNorm": "batch norm",
    "NativeLayerNorm": "layer norm",
    "LogSoftmax": "log-softmax",
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Relu": "ReLU",
}
_OPERATION: Final = re.compile(rf"\b(?:{'|'.join(OPERATIONS)})\b")


def label(name: str) -> str:
    """What a report calls a measured quantity.

    >>> label("weight-rms"), label("learning-rate")
    ('size of the weights (root mean square)', 'learning rate')
    """
    return LABELS.get(name, name.replace("-", " "))


def plain(text: str) -> str:
    """Autograd's names of operations in words.

    >>> plain("Addmm → batch norm")
    'linear layer → batch norm'
    """
    return _OPERATION.sub(lambda match: OPERATIONS[match[0]], text)
