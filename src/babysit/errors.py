"""The one error that a user may see from us."""

from __future__ import annotations


class BabysitError(Exception):
    """A user's mistake, told in one sentence: what happened, what was expected, how to mend it."""
