"""Names for what has none in PyTorch: layers and parameters, as the user's code calls them."""

from __future__ import annotations

import inspect
import re
import sys
import weakref
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import sources
from babysit.instrument.origins import Origins

MAX_ITEMS = 256
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")


def clean(name: str) -> str:
    """A dotted name without the parts that wrappers (DDP, compile) put in."""
    for wrapper in _WRAPPERS:
        while name.startswith(wrapper) or f".{wrapper}" in name:
            name = name.removeprefix(wrapper).replace(f".{wrapper}", ".")
    return name


class Names:
    """Knows every parameter and layer by its dotted name.

    Modules tell their children's names when they are built (a registration hook); a model that
    was built before is walked when it is first called. With several models side by side their
    names begin with the model's own.
    """

    def __init__(self) -> None:
        # By identity and weakly: a sweep that builds a thousand models leaves nothing behind.
        self._parents: MutableMapping[nn.Module, tuple[weakref.ref[nn.Module], str]]
        self._parents = WeakIdKeyDictionary()
        self._built: MutableMapping[nn.Module, tuple[str, int]] = WeakIdKeyDictionary()
        self._roots: MutableMapping[nn.Module, str] = WeakIdKeyDictionary()
        self._layers: MutableMapping[nn.Module, str] = WeakIdKeyDictionary()
        self._parameters: MutableMapping[Tensor, tuple[str, str, str]] = WeakIdKeyDictionary()
        self._hidden: MutableMapping[Tensor, bool] = WeakIdKeyDictionary()
        self.origins = Origins()
        self._num_bare = 0
        self._has_several: bool | None = None

    def on_registration(self, parent: nn.Module, name: str, child: nn.Module | None) -> None:
        """Hook of ``register_module_module_registration_hook``."""
        if child is None:
            return
        self._parents[child] = (weakref.ref(parent), name)
        frame = sources.user_frame(sys._getframe(1))
        if frame is not None:
            self._built[child] = (frame.f_code.co_filename, frame.f_lineno)

    def add_root(self, module: nn.Module, *, has_grown: bool = False) -> None:
        """Name everything inside the outermost model that this module belongs to.

        Args:
            has_grown: it was named before, and has got further layers since.
        """
        if module in self._layers and not has_grown:
            return
        root = self._outermost(module)
        prefix = self._roots[root] if root in self._roots else self._prefix(root)
        self._roots[root] = prefix
        for name, layer in root.named_modules():
            full = clean(f"{prefix}{name}").rstrip(".")
            is_all = not full and not layer._modules  # the model is but one layer
            self._layers[layer] = type(layer).__name__ if is_all else full
            for own, parameter in layer.named_parameters(recurse=False):
                dotted = f"{full}.{own}" if full else own
                self._name(parameter, dotted, self._layers[layer], type(layer).__name__)

    def _outermost(self, module: nn.Module) -> nn.Module:
        for _ in range(64):
            known = self._parents.get(module)
            parent = known[0]() if known else None
            if known is None or parent is None or parent._modules.get(known[1]) is not module:
                break
            module = parent
        return module

    def _prefix(self, root: nn.Module) -> str:
        """Nothing in a program of one model at a time; else the model's variable or class.

        What counts are the models alive at the first look: a sweep that keeps its earlier
        models has one at a time all the same.
        """
        if self._has_several is None:
            tops = {id(top): top for top in map(self._outermost, self._parents)}
            tops[id(root)] = root
            hidden = {id(held) for top in tops.values() for _, held, *_ in hidden_in(top)}
            others = (top for key, top in tops.items() if key not in hidden)
            self._has_several = sum(map(has_parameters, others)) > 1
        return f"{variable_of(root) or type(root).__name__}." if self._has_several else ""

    def _name(self, tensor: Tensor, name: str, layer: str, kind: str) -> None:
        if tensor not in self._parameters:
            self._parameters[tensor] = (name, layer, kind)

    def parameter(self, tensor: Tensor) -> tuple[str, str, str]:
        """Name, layer and class of the layer; a numbered name for an unknown tensor."""
        if tensor not in self._parameters:
            self._num_bare += 1
            name = f"tensor{self._num_bare}"
            self._name(tensor, name, name, "")
        return self._parameters[tensor]

    def inherit(self, new: Tensor, old: Tensor) -> None:
        """A tensor that takes another's place takes its name."""
        if old in self._parameters:
            self._parameters[new] = self._parameters[old]

    def knows(self, tensor: Tensor) -> bool:
        return tensor in self._parameters

    def is_registered(self, tensor: Tensor) -> bool:
        """Whether its module knows it; one in a plain list attribute is hidden from the model."""
        return tensor not in self._hidden

    def search_attributes(self, wanted: Iterable[Tensor]) -> None:
        """Name tensors hidden in plain lists, tuples and dictionaries of known models."""
        missing = {id(tensor) for tensor in wanted if not self.knows(tensor)}
        for root, prefix in list(self._roots.items()) if missing else ():
            for path, held, owner, attribute in hidden_in(root):
                if missing & {id(tensor) for tensor in tensors_of(held)}:
                    self._name_hidden(clean(f"{prefix}{path}"), held, owner, attribute)

    def _name_hidden(
        self, path: str, item: nn.Module | Tensor, owner: nn.Module, attribute: str
    ) -> None:
        """Names and the source line of a layer or tensor that its model does not know of."""
        if isinstance(item, Tensor):
            self._hidden[item] = True
            self._name(item, path, path, type(owner).__name__)
            return
        built = line_of_attribute(owner, attribute)
        for name, layer in item.named_modules():
            full = f"{path}.{name}" if name else path
            self._layers[layer] = full
            if built is not None:
                self._built[layer] = built
            for own, parameter in layer.named_parameters(recurse=False):
                self._hidden[parameter] = True
                self._name(parameter, f"{full}.{own}", full, type(layer).__name__)

    def places(self, modules: Iterable[nn.Module]) -> dict[str, dict[str, Any]]:
        """Layers with the line that built them; those hidden in plain lists among them."""
        own = [module for root in modules for module in root.modules()]
        hidden = [m for m, name in list(self._layers.items()) if "[" in name]
        found = ((self.layer(module), self.place_of(module)) for module in [*own, *hidden])
        return {name: place for name, place in found if name and place}

    def kinds(self, modules: Iterable[nn.Module]) -> dict[str, str]:
        """The classes of layers that have but a number, as those of a ``Sequential``."""
        found = ((self.layer(m), type(m).__name__) for root in modules for m in root.modules())
        return {name: kind for name, kind in found if name and name.rpartition(".")[2].isdigit()}

    def search_frames(self, wanted: Iterable[Tensor]) -> None:
        """Name tensors by the variables that hold them, or their model, in the user's frames.

        Reading a frame's locals keeps them alive a little longer, so this is only done for
        tensors that no module owns.
        """
        missing = {id(tensor): tensor for tensor in wanted if not self.knows(tensor)}
        frame = sources.user_frame(sys._getframe(1))
        while frame is not None and missing:
            for variables in (frame.f_locals, frame.f_globals):
                for name, value in list(variables.items()):
                    if isinstance(value, nn.Module):  # one whose call we did not see
                        if any(id(parameter) in missing for parameter in value.parameters()):
                            self.add_root(value)
                        continue
                    for path, tensor in tensors_in(value, name):
                        if id(tensor) in missing:
                            self.origins.found_as(tensor, path, frame)
                            self._name(missing.pop(id(tensor)), path, path, "")
            frame = sources.user_frame(frame.f_back)

    def layer(self, module: nn.Module) -> str | None:
        return self._layers.get(module)

    def place_of(self, module: nn.Module) -> dict[str, Any] | None:
        """The source line that built a layer; inside a Sequential, the layer's own line."""
        built = self._built.get(module)
        if built is None:
            return None
        path, line = built
        name = self.registered_as(module)
        if name.isdigit():
            line = sources.argument_line(path, line, int(name)) or line
        return sources.place(path, line)

    def registered_as(self, module: nn.Module) -> str:
        return self._parents[module][1] if module in self._parents else ""

    def parameters_of(self, module: nn.Module) -> Iterator[Tensor]:
        yield from self._outermost(module).parameters()

    def title(self, tensors: Sequence[Tensor], called: Sequence[nn.Module]) -> str | None:
        """What to call the training of these parameters: after the model that owns them.

        That is a class of the user's own; of a ready-made one (``Sequential``) the name under
        which the program knows it, if that can be seen without reading a function's variables.

        Args:
            called: the outermost models that ran; not all of them are trained.
        """
        wanted = {id(tensor) for tensor in tensors}
        ran = [module for module in called if has_parameters(module)]
        owner = next((m for m in ran if wanted & identities(m)), None) or self._holder(wanted)
        if owner is None:
            return type(ran[0]).__name__ if ran else None
        same = [module for module in owner.modules() if identities(module) == wanted]
        own = (type(module).__name__ for module in same if not is_ready_made(module))
        known = (self._known_as(module) for module in (*same, owner))
        return next(own, None) or next(filter(None, known), None) or type(owner).__name__

    def _holder(self, wanted: set[int]) -> nn.Module | None:
        """The outermost model that holds any of these tensors; the latest is looked at first."""
        direct = (
            module
            for module in reversed(list(self._parents))
            if any(id(tensor) in wanted for tensor in module._parameters.values())
        )
        found = next(direct, None)
        if found is not None:
            return self._outermost(found)
        variables = list(vars(sys.modules["__main__"]).values())
        models = (value for value in variables if isinstance(value, nn.Module))
        return next((module for module in models if wanted & identities(module)), None)

    def _known_as(self, module: nn.Module) -> str | None:
        """The name of a model: its attribute in another, or its variable in the program."""
        attribute = self.registered_as(module)
        if attribute.isidentifier():
            return attribute
        return self._roots.get(module, "").rstrip(".") or variable_of(module, in_functions=False)


def has_parameters(module: nn.Module) -> bool:
    """Whether a module holds parameters at all; a criterion does not."""
    return next(module.parameters(), None) is not None


def identities(module: nn.Module) -> set[int]:
    return {id(parameter) for parameter in module.parameters()}


def is_ready_made(module: nn.Module) -> bool:
    """Whether a layer's class is PyTorch's own."""
    return type(module).__module__.partition(".")[0] == "torch"


def variable_of(value: Any, *, in_functions: bool = True) -> str | None:
    """The name of the variable that holds a value: in the main program, or in a user's frame.

    Args:
        in_functions: whether to read the variables of functions, too; that keeps them alive.
    """
    names = (
        n for space in spaces(in_functions) for n, held in list(space.items()) if held is value
    )
    return next((name for name in names if not name.startswith("_") and name != "self"), None)


def spaces(in_functions: bool) -> Iterator[dict[str, Any]]:
    """Variables: the main program's, then those of the user's frames outwards."""
    yield vars(sys.modules["__main__"])
    frame = sources.user_frame(sys._getframe(1))
    while frame is not None:
        if in_functions or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            yield frame.f_locals
        frame = sources.user_frame(frame.f_back)


def held_in(value: Any, path: str, depth: int = 2) -> Iterator[tuple[str, nn.Module | Tensor]]:
    """Layers and trainable tensors in an attribute that is a plain container, with their paths."""
    if isinstance(value, (nn.Module, Tensor)):
        if not isinstance(value, Tensor) or (value.requires_grad and value.is_leaf):
            yield path, value
    elif depth and isinstance(value, dict):
        for key, item in list(value.items())[:MAX_ITEMS]:
            yield from held_in(item, f"{path}[{key!r}]", depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for index, item in enumerate(value[:MAX_ITEMS]):
            yield from held_in(item, f"{path}[{index}]", depth - 1)


def hidden_in(root: nn.Module) -> Iterator[tuple[str, nn.Module | Tensor, nn.Module, str]]:
    """What a model holds in plain attributes: path, the thing itself, its owner, the attribute."""
    for name, module in root.named_modules():
        for attribute, value in list(vars(module).items()):
            if attribute not in _OF_EVERY_MODULE:
                path = f"{name}.{attribute}" if name else attribute
                for full, item in held_in(value, path):
                    yield full, item, module, attribute


def tensors_of(item: nn.Module | Tensor) -> list[Tensor]:
    return [item] if isinstance(item, Tensor) else list(item.parameters())


def line_of_attribute(owner: nn.Module, attribute: str) -> tuple[str, int] | None:
    """Where a class assigns an attribute first."""
    try:
        lines, first = inspect.getsourcelines(type(owner))
        path = inspect.getsourcefile(type(owner))
    except (OSError, TypeError):  # a class without a file
        return None
    wanted = re.compile(rf"\bself\.{re.escape(attribute)}\b")
    number = next((first + i for i, line in enumerate(lines) if wanted.search(line)), None)
    return (path, number) if path and number else None


def tensors_in(value: Any, path: str, depth: int = 2) -> Iterator[tuple[str, Tensor]]:
    """Trainable tensors in a variable, its items and its attributes, with their paths."""
    if isinstance(value, Tensor):
        if value.requires_grad and value.is_leaf:
            yield path, value
    elif depth and isinstance(value, dict):
        for key, item in list(value.items())[:MAX_ITEMS]:
            yield from tensors_in(item, f"{path}.{key}", depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for index, item in enumerate(value[:MAX_ITEMS]):
            yield from tensors_in(item, f"{path}[{index}]", depth - 1)
    elif depth and type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        for key, item in list(vars(value).items())[:MAX_ITEMS]:
            yield from tensors_in(item, f"{path}.{key}", depth - 1)
