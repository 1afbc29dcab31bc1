"""Every step: losses, gradients as a whole, rates, clearing, times."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

STEPS: Final[dict[str, Signal]] = {
    "loss": Signal(
        meaning="the value backward was called on, per step (mean over accumulated backwards)",
        absent="no loss value was seen",
    ),
    "gradient-norm": Signal(
        meaning="L2 norm of all gradients as the optimizer received them",
        absent="no gradient norm was read",
    ),
    "gradient-norm-before-clip": Signal(
        meaning="L2 norm of the gradients before clip_grad_norm_",
        absent="gradients are not clipped",
    ),
    "clip-norm": Signal(
        meaning="limit given to clip_grad_norm_, per step", absent="gradients are not clipped"
    ),
    "clip-value": Signal(
        meaning="limit given to clip_grad_value_, per step",
        absent="gradients are not clipped by value",
    ),
    "clipped-share": Signal(
        meaning="share of gradient elements at the limit of clip_grad_value_",
        absent="gradients are not clipped by value",
    ),
    "clip-in-vain": Signal(
        meaning="1 at steps that clipped when no backward had run since the last step",
        absent="gradients are not clipped, or in their place",
    ),
    "clip-of-scaled-gradients": Signal(
        meaning="1 at steps that clipped gradients while GradScaler still scaled them",
        absent="gradients are not clipped, or in their place",
    ),
    "loss-without-graph": Signal(
        meaning="1 at steps whose backward began at a tensor that no operation made",
        absent="every loss had a graph",
    ),
    "recurrent-gradient-norm": Signal(
        meaning="L2 norm of the gradient of the first recurrent weight, as the optimizer got it",
        absent="the model has no recurrent layer",
    ),
    "learning-rate": Signal(
        meaning="rate of each optimizer group, written when it changes",
        absent="no torch.optim optimizer was seen",
    ),
    "optimizer-rebuilt": Signal(
        meaning="1 at steps taken by a new optimizer over parameters that another one of its "
        "kind had trained until then",
        absent="no optimizer was made anew over the same parameters",
    ),
    "epoch": Signal(
        meaning="passes over the DataLoader begun so far, written when one begins",
        absent="no DataLoader was seen",
    ),
    "batch-size": Signal(
        meaning="examples of a batch: first dimension of what was loaded or entered the model",
        absent="no batch was seen",
    ),
    "batch-repeats": Signal(
        meaning="1 where a sampled batch holds the very data of the sample before, else 0",
        absent="no batch was seen",
    ),
    "loss-noise": Signal(
        meaning="standard error of the batch's mean loss, from the spread over its examples",
        absent="no loss function with a known value for each example was seen",
    ),
    "gradient-agreement": Signal(
        meaning="cosine between the gradients of a sampled step and the sampled step before",
        absent="no two gradients were sampled",
    ),
    "backwards": Signal(
        meaning="backward passes of a step, written when not one", absent="one backward a step"
    ),
    "gradients-kept": Signal(
        meaning="1 at steps whose gradients still held those of earlier steps",
        absent="gradients were cleared before every step",
    ),
    "without-gradient": Signal(
        meaning="1 at optimizer steps that found no gradient at all",
        absent="every optimizer step had gradients",
    ),
    "step-seconds": Signal(meaning="wall time of a step", absent="no step was completed"),
    "data-seconds": Signal(
        meaning="time a step waited for its DataLoader", absent="no DataLoader was seen"
    ),
    "loss-term": Signal(
        meaning="value of a term of a summed loss, with its weight, by the user's name for it",
        absent="the loss is not a sum of terms",
    ),
}
