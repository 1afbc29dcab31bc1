"""The black box: what is needed to make the same value again, in files, with a script that does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.overrides import resolve_name

from babysit.instrument.replay import isolation

if TYPE_CHECKING:
    from babysit.instrument.replay.births import Birth

MAX_BYTES: Final = 256 << 20
SCRIPT: Final = '''\
"""{title}

It loads the operands of that operation, runs it again and shows the first value that is not
finite. It needs torch alone, and exits with 1 when all values are finite.
"""

import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
event = torch.load(Path(__file__).with_name("event.pt"), weights_only=True)
function = torch
for part in {path!r}:
    function = getattr(function, part)
inputs = list(event["tensors"])


def fill(value):
    """Put the tensors back where they stood among the arguments."""
    if isinstance(value, dict) and "tensor" in value:
        return inputs[value["tensor"]]
    if isinstance(value, dict) and "name" in value:
        return getattr(torch, value["name"])
    if isinstance(value, (list, tuple)):
        return [fill(one) for one in value]
    if isinstance(value, dict):
        return {{key: fill(one) for key, one in value.items()}}
    return value


for number, tensor in enumerate(inputs):
    if tensor.is_floating_point() and tensor.numel():
        low, high = tensor.double().aminmax()
        kind = f"{{tuple(tensor.shape)}} {{tensor.dtype}}"
        print(f"operand {{number}}: {{kind}}, {{low:.6g}} to {{high:.6g}}")
results = function(*fill(event["args"]), **fill(event["kwargs"]))
schema = getattr(function, "_schema", None)
changed = inputs if schema is not None and schema.is_mutable else results
for result in changed if isinstance(changed, (list, tuple)) else [changed]:
    if not isinstance(result, torch.Tensor) or not result.is_floating_point():
        continue
    bad = (~torch.isfinite(result)).nonzero()
    if len(bad):
        index = tuple(bad[0].tolist())
        value, size = result[index].item(), result.numel()
        print(f"{{function}}: {{value}} at {{index}}, {{len(bad)}} of {{size}} values")
        sys.exit(0)
print(f"{{function}}: all values are finite here")
sys.exit(1)
'''


def save(folder: str, birth: Birth, told: dict[str, Any], state: dict[str, Any]) -> str | None:
    """Write the black box; its folder, or ``None`` if there is nothing to run again.

    Args:
        state: what else is kept, by file name: parameters, batch, random states.
    """
    path = Path(folder)
    left = MAX_BYTES
    with isolation.real_open(path / "event.json", "w") as file:
        json.dump(told, file, indent=1)
    for name, value in state.items():
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(value))
        if size <= left:
            isolation.real_save(value, path / f"{name}.pt")
            left -= size
    if birth.call is None:
        return folder
    function, args, kwargs = birth.call
    tensors: list[Tensor] = []
    event = {"args": taken(list(args), tensors), "kwargs": taken(kwargs, tensors)}
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > left:
        return folder
    isolation.real_save({**event, "tensors": tensors}, path / "event.pt")
    schema = getattr(function, "_schema", None)
    if schema is not None:
        parts = ["ops", *schema.name.split("::"), function._overloadname]
    else:
        parts = (resolve_name(function) or "").split(".")[1:]
    what = f"`{birth.name}` made {birth.kind} in step {birth.step}"
    where = f" at {birth.place['file']}:{birth.place['line']}" if birth.place else ""
    with isolation.real_open(path / "reproduce.py", "w") as file:
        file.write(SCRIPT.format(title=f"{what}{where}: the same again.", path=parts))
    return folder


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors_in(one)


def taken(value: Any, tensors: list[Tensor]) -> Any:
    """Arguments with their tensors taken out into a list."""
    if isinstance(value, Tensor):
        tensors.append(value.detach())
        return {"tensor": len(tensors) - 1}
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return {"name": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [taken(one, tensors) for one in value]
    if isinstance(value, dict):
        return {key: taken(one, tensors) for key, one in value.items()}
    return value if isinstance(value, (int, float, bool, str, type(None))) else None
