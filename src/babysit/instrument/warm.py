"""Loads what every trial needs, once, in the process that trials are forked from."""

from __future__ import annotations


def warm_up() -> None:
    """Import now what each trial would import again.

    torch loads its compiler when the first optimizer is made, which takes seconds; rules are read
    when a run is judged. None of it starts a thread.
    """
    import torch._dynamo
    import torch.utils.data  # noqa: F401  # loaded for what forks find in memory

    import babysit.instrument.levers.levers
    import babysit.instrument.metrics
    import babysit.instrument.replay.inquest
    import babysit.instrument.watcher  # noqa: F401
    from babysit.catalogue import rules
    from babysit.change import changes

    rules(), changes()
