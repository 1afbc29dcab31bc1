"""babysit watches a neural network train, says what is wrong, where, why and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from babysit.version import __version__

if TYPE_CHECKING:
    from babysit.diagnosis import diagnose
    from babysit.instrument.gradcheck import gradcheck
    from babysit.session import log, watch
    from babysit.session.checkup import checkup

__all__ = ["__version__", "checkup", "diagnose", "gradcheck", "log", "watch"]


def __getattr__(name: str) -> Any:
    """Load the public functions at first use, so that ``import babysit`` costs nothing."""
    if name in ("watch", "log"):
        from babysit import session

        return getattr(session, name)
    if name == "checkup":
        from babysit.session.checkup import checkup

        return checkup
    if name == "diagnose":
        from babysit.diagnosis import diagnose

        return diagnose
    if name == "gradcheck":
        from babysit.instrument.gradcheck import gradcheck

        return gradcheck
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
