"""Discovery: the rules there are, found by their files."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from babysit.errors import BabysitError
from babysit.rule import Rule

PACKAGE = "babysit.rules"


@cache
def rules() -> dict[str, type[Rule]]:
    """Every rule by name: one class a module below ``babysit.rules``, in catalogue order."""
    found: dict[str, type[Rule]] = {}
    package = importlib.import_module(PACKAGE)
    for info in pkgutil.walk_packages(package.__path__, prefix=f"{PACKAGE}."):
        if not info.ispkg:
            rule = rule_in(info.name)
            found[rule.name()] = rule
    return found


def rule_in(module_name: str) -> type[Rule]:
    """The one rule class that a module defines.

    Raises:
        TypeError: the module defines none, or several.
    """
    module = importlib.import_module(module_name)
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Rule) and value.__module__ == module_name
    ]
    if len(own) != 1:
        raise TypeError(f"{module_name} defines {len(own)} rules; a rule's file holds one")
    return own[0]


def rule(name: str) -> type[Rule]:
    """The rule of this name.

    Raises:
        BabysitError: there is none; names the nearest.
    """
    known = rules()
    if name in known:
        return known[name]
    import difflib

    words = {word: one for one in known for word in one.split("-")}
    near = difflib.get_close_matches(name, [*known, *words], n=1)
    hint = f" Did you mean {words.get(near[0], near[0])!r}?" if near else ""
    raise BabysitError(f"There is no rule {name!r}.{hint} `babysit rules` lists them all.")
