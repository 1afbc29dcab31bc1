"""Trials that end in evaluation mode, so that dropout does not blur what they have come to."""

from __future__ import annotations

from babysit.change import Change
from babysit.changes.resting import Rest
from babysit.experiment import Lab
from babysit.lab.comparing import END, changed, plain
from babysit.trial import Trial
from babysit.wiring import DROPOUT


def has_dropout(lab: Lab) -> bool:
    """Whether the training drops any values."""
    nodes = (node for wiring in lab.training.wirings for node in wiring.nodes)
    return any(node.op == DROPOUT and node.facts.get("p", 0.0) > 0 for node in nodes)


def rested(lab: Lab, name: str, seed: int, *changes: Change) -> Trial:
    """A trial that learns nothing in its last fifth, the part that counts as its end."""
    steps = lab.base.run.steps if lab.ran_through else lab.max_steps
    after = max(1, int((1 - END) * steps))
    return changed(lab, name, seed, *changes, Rest(after=after))


def judged(lab: Lab, seed: int) -> Trial:
    """The training as it is, judged as it would be used."""
    return rested(lab, "rested", seed) if has_dropout(lab) else plain(lab, seed)
