"""Discovery: what there is of a kind, found by its files."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Final, TypeVar

from babysit.errors import BabysitError
from babysit.rule import Rule

LIKENESS: Final = 0.75  # of a name to what was meant; "nonsense" and "noise" have 0.62
Kind = TypeVar("Kind")


@cache
def rules() -> dict[str, type[Rule]]:
    """Every rule by name: one class a module below ``babysit.rules``, in catalogue order."""
    return {rule.name(): rule for rule in classes("babysit.rules", Rule)}  # type: ignore[type-abstract]  # a base to compare with


def classes(package_name: str, base: type[Kind]) -> list[type[Kind]]:
    """The classes of a plural folder, one for each module in it and below."""
    package = importlib.import_module(package_name)
    modules = pkgutil.walk_packages(package.__path__, prefix=f"{package_name}.")
    return [class_in(info.name, base) for info in modules if not info.ispkg]


def class_in(module_name: str, base: type[Kind]) -> type[Kind]:
    """The one class of this kind that a module defines.

    Raises:
        TypeError: the module defines none, or several.
    """
    module = importlib.import_module(module_name)
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module_name
    ]
    if len(own) != 1:
        raise TypeError(
            f"{module_name} defines {len(own)} classes of kind {base.__name__}; its file holds one"
        )
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

    words = {word for one in known for word in one.split("-")}
    near = difflib.get_close_matches(name, [*known, *words], n=1, cutoff=LIKENESS)
    meant = [one for one in known if near and (near[0] == one or near[0] in one.split("-"))]
    hint = f" Did you mean {' or '.join(repr(one) for one in meant[:3])}?" if meant else ""
    raise BabysitError(f"There is no rule {name!r}.{hint} `babysit rules` lists them all.")
