"""Comparing a function's backward with its slope: calls, difference quotients, search."""
