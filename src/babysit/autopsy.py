"""What an autopsy found: the operation that made a value NaN or infinite, and what class of cause.

The instrument writes it as the fact ``autopsy``; the rules about numbers read it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from babysit.domains import DOMAINS
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.growth import growth
from babysit.measures import displacement
from babysit.run import Training
from babysit.stable_forms import BRAIN, HALF, MASK, form_of, is_form, stable_line
from babysit.text import count, listing, number

Cause = Literal["data", "mask", "overflow", "rate", "spike", "division", "formula"]
LARGE: Final = 1e12  # in single precision no sound training comes near
HALF_LARGE: Final = 100.0  # its square, or a sum of such squares, leaves float16
FAR: Final = 0.25  # an early step of a quarter of the weights: see learning-rate-too-high
EARLY: Final = 100  # steps: a rate that is too high shows by then (Bengio 2012, Smith 2017)
_HALVES: Final = {"float16", "bfloat16"}
_OF_NONE: Final = {"std", "var", "mean", "median", "nanmean"}  # of one value, or of none
_DIVISIONS: Final = {"div", "reciprocal", "rsqrt", "addcdiv", "normalize"}
_CARRIERS: Final = {
    "index", "select", "slice", "view", "_unsafe_view", "transpose", "t", "expand", "squeeze",
    "unsqueeze", "gather", "mean", "sum", "cat", "stack", "clone", "permute", "reshape", "alias",
    "detach", "where", "masked_select", "index_select", "copy", "to", "split", "unbind", "neg",
}  # fmt: skip
GAPS: Final = Remedy(
    name="check-data",
    text="Find these examples with torch.isfinite; leave them out or fill the gaps.",
)
OUTLIERS: Final = Remedy(
    name="check-data",
    text="Look for extreme values among inputs and targets (`x.abs().max()`), such as a number "
    "that stands for a missing one; leave them out or correct them.",
)
LOWER_RATE: Final = Remedy(
    name="lower-lr",
    text="Divide the learning rate by 3 until no NaN appears in the first 100 steps.",
    change={"name": "scale-learning-rate", "factor": 1 / 3},
)
BAD_RATE: Final = Remedy(
    name="lower-lr", text="Look at what sets the learning rate: it is not finite itself."
)
CLIP: Final = Remedy(
    name="clip-gradients",
    text="Clip the gradients before each step: clip_grad_norm_(model.parameters(), 5).",
    change={"name": "clip-gradients", "max_norm": 5},
)


@dataclass(frozen=True, kw_only=True)
class Autopsy:
    """One finding about numbers, as the instrument told it.

    Args:
        event: where it was noticed: ``loss``, ``gradient``, ``parameter``, ``look``,
            ``evaluation``, ``crash``.
        step: the optimizer step in which the first bad value was born.
        birth: the operation, its operands, its place; empty where it was not found.
        failed: why it was not found.
        is_exact: every operation was watched; else the graph of the step was searched.
    """

    event: str
    step: int
    birth: Mapping[str, Any]
    failed: str | None = None
    since: int = 0
    blackbox: str | None = None
    is_exact: bool = True

    @property
    def phase(self) -> str:
        """``forward``, ``backward``, ``optimizer``, ``data``, ``evaluation``; or empty."""
        return str(self.birth.get("phase", ""))

    @property
    def is_of_gradient(self) -> bool:
        """Whether the loss was finite and its gradient was not."""
        return self.phase == "backward" or (self.event == "gradient" and self.phase == "forward")

    @property
    def op(self) -> str:
        return str(self.birth.get("op", ""))

    @property
    def arrived(self) -> str | None:
        """What held the value before any operation was seen to make it."""
        return self.birth.get("arrived")

    @property
    def place(self) -> Place | None:
        known = {key: self.birth.get(key) for key in ("layer", "op", "file", "line", "code")}
        return Place(**known) if self.birth.get("line") or self.birth.get("layer") else None

    @property
    def key(self) -> Mapping[str, Any]:
        """The operand that was at fault."""
        index = self.birth.get("key")
        return self.birth["operands"][index] if index is not None else {}

    @property
    def largest(self) -> float:
        """The largest size of any finite value among the operands."""
        sizes = [abs(one.get(name, 0.0)) for one in self.birth.get("operands", ()) for name in
                 ("low", "high", "value")]  # fmt: skip
        return max((size for size in sizes if np.isfinite(size)), default=0.0)

    # -- in words ------------------------------------------------------------------------

    @property
    def sentence(self) -> str:
        """What happened: operation, place, operand and where that came from."""
        if not self.birth:
            return ""
        if self.arrived:
            return self._arrival()
        what = f"`{self.op}`{at(self.birth)}"
        if self.phase == "backward":
            low, high = self.birth.get("given") or (np.nan, np.nan)
            values = f"values from {number(low)} to {number(high)}" if low != high else number(low)
            given = f" received {values}{self._history()}, and" if np.isfinite(low) else ":"
            return f"{what}{given} its derivative gave {self._extent()}"
        operand = self._operand()
        history = self._history()
        comma = "," if "," in history else ""
        given = f" received {operand}{history}{comma} and" if operand else ""
        return f"{what}{given} gave {self._extent()}"

    def _operand(self) -> str:
        value = self.key.get("value")
        if value is None:
            return f"values up to {number(self.largest)}" if self.largest else ""
        others = [one for one in self.birth["operands"] if one is not self.key]
        if self.op in _DIVISIONS and value == 0 and others and "value" in others[0]:
            return f"{number(others[0]['value'])} to divide by {number(value)}"
        return number(value)

    def _history(self) -> str:
        """Where the operand came from, and what had grown before."""
        made = self.birth.get("made_by")
        while made and made["op"] in _CARRIERS and made.get("made_by"):
            made = made["made_by"]
        if not made or made["op"] in _CARRIERS:
            return ""
        before = made.get("made_by") or {}
        low, high = before.get("low"), before.get("high")
        reached = max(abs(low or 0.0), abs(high or 0.0))
        text = f" from `{made['op']}`{at(made)}"
        return text + (f", whose operand reached {number(reached)}" if reached >= 10 else "")

    def _extent(self) -> str:
        amount, size = self.birth["count"], self.birth["size"]
        if size <= 1:
            return kind(self.birth)
        position = f", first at {tuple(self.birth['index'])}" if self.birth["index"] else ""
        return f"{kind(self.birth)} in {amount:,} of {size:,} values{position}"

    def _arrival(self) -> str:
        if not self.is_exact:
            what = "the data that enters" if self.arrived == "data" else "the weights of"
            return f"{what} `{self.birth.get('layer')}` already held NaN or Inf"
        what = {
            "parameter": f"the parameter `{self.birth.get('name', '')}`",
            "buffer": "a buffer",
            "data": "the data",
        }[self.arrived or "data"]
        rows = self.birth.get("examples") or self.birth.get("rows") or []
        word = "example" if self.birth.get("examples") else "row"
        which = f" ({word} {listing(map(str, rows))})" if rows and self.arrived == "data" else ""
        return (
            f"{what} that `{self.op}`{at(self.birth)} reads already held {kind(self.birth)} in "
            f"{self.birth['count']:,} of {count(self.birth['size'], 'value')}{which}"
        )

    @property
    def method(self) -> str:
        """How it was found, or why not."""
        if self.birth and not self.is_exact:
            return f"read from the graph of that step: {self.failed}" if self.failed else ""
        if self.birth:
            return f"a copy of the process from step {self.since:,} went through it again"
        return f"the operation was not found: {self.failed}" if self.failed else ""

    # -- why -----------------------------------------------------------------------------

    def cause(self, run: Training) -> Cause:
        """The class of cause that the remedy has to fit."""
        value = self.key.get("value")
        is_large = self.largest > LARGE
        is_data = is_large and (not self.key.get("is_tracked", True) or self._is_outlier())
        is_masked = (value is not None and np.isinf(value)) or self._is_masked()
        is_divided = bool({self.op, self.birth.get("inner")} & _DIVISIONS) and value == 0
        is_of_none = self.op in _OF_NONE and self.phase != "backward"
        explosion: Cause = "rate" if self.step < EARLY else "spike"
        judged: tuple[tuple[bool, Cause], ...] = (
            (self.arrived == "data" or self.birth.get("by") == "numpy", "data"),
            (self._has_bad_rate(), "rate"),
            (is_masked, "mask"),
            (self._is_half() and (self.largest > HALF_LARGE or value == 0), "overflow"),
            (is_data, "data"),
            (is_large or self._has_exploded(run), explosion),
            ((is_divided and not self._is_known()) or is_of_none, "division"),
        )
        return next((cause for is_so, cause in judged if is_so), "formula")

    def _is_half(self) -> bool:
        """Whether any part of it was in half precision; a softmax is computed in single."""
        return bool(self._dtypes() & _HALVES) and self.op != "softmax"

    def _dtypes(self) -> set[str]:
        known = (one.get("dtype", "") for one in self.birth["operands"])
        return {*known, self.birth["dtype"]}

    def _has_exploded(self, run: Training) -> bool:
        """Overflow where nothing is undefined, or where steps have thrown the weights far off."""
        if self.phase == "backward" or not self.is_exact:
            return False
        if not is_form(self.op) and self.op not in _DIVISIONS and self.birth["kind"] != "nan":
            return True
        moved = displacement(run)
        return self.op == "exp" and 0 < self.step < EARLY and moved is not None and moved > FAR

    def _is_outlier(self) -> bool:
        """Whether the data brought in what is so large."""
        made = self.birth.get("made_by")
        while made and not made.get("data", 0.0) > LARGE:
            made = made.get("made_by")
        return bool(made)

    def _has_bad_rate(self) -> bool:
        """Whether the number that an optimizer multiplies its step by is not finite."""
        value = self.key.get("value")
        return self.phase == "optimizer" and value is not None and not np.isfinite(value)

    def _is_masked(self) -> bool:
        """Whether a zero is what a softmax made of a masked score."""
        made = self.birth.get("made_by") or {}
        before = made.get("made_by") or {}
        is_zero = (
            self.phase != "backward" and self.key.get("value") == 0 and made.get("op") == "softmax"
        )
        return bool(is_zero and before.get("op") == "masked_fill")

    def _is_known(self) -> bool:
        """Whether a derivative of PyTorch's own divides: the operation itself is at fault."""
        return self.phase == "backward" and is_form(self.op) and self.op not in _DIVISIONS

    def remedies(self, run: Training) -> tuple[Remedy, ...]:
        """What cures this class of cause, best first."""
        remedy = {
            "data": OUTLIERS if self.largest > LARGE else GAPS,
            "mask": Remedy(name="mend-operation", text=MASK),
            "overflow": Remedy(
                name="compute-in-float32", text=HALF if "float16" in self._dtypes() else BRAIN
            ),
            "rate": BAD_RATE if self._has_bad_rate() else LOWER_RATE,
            "spike": CLIP,
        }.get(self.cause(run))
        return (remedy or self._mended(),)

    def _mended(self) -> Remedy:
        code = self.birth.get("code") or ""
        better = stable_line(code, self.op)
        text = form_of(self.op)
        link = "Where it is none of these, bound it:" if self.op == "exp" else "Here:"
        if better is None:
            return Remedy(name="mend-operation", text=text)
        change = {"name": "replace-line", "file": self.birth.get("file"),
                  "line": self.birth.get("line"), "before": code, "after": better}  # fmt: skip
        return Remedy(name="mend-operation", text=f"{text} {link} `{better}`", change=change)


def finding(found: Autopsy, run: Training, message: str) -> Finding:
    """What a rule concludes where every operation was watched."""
    return Finding(
        severity="error", confidence=1.0,
        message=f"{message} (step {found.step:,})"
        + (f": {found.sentence}" if found.birth else "")
        + growth(run, found.step),
        where=found.place, first_step=found.step,
        remedies=found.remedies(run) if found.birth else (),
        evidence=evidence(found),
    )  # fmt: skip


def evidence(found: Autopsy | None) -> tuple[Evidence, ...]:
    """How it was found, or why not; and that the value can be made again."""
    if found is None:
        return ()
    told = [Evidence(signal="autopsy", value=found.method)] if found.method else []
    if found.blackbox:
        told.append(Evidence(signal="blackbox", value="`babysit show --blackbox` tells where"))
    return tuple(told)


def of(run: Training) -> Autopsy | None:
    """The autopsy of a training, if there was one; else what the graph of its step shows."""
    fact = run.facts.get("autopsy") or {"event": "loss", "step": run.steps}
    origin = run.facts.get("non_finite_origin")
    if not fact.get("birth") and origin:
        return Autopsy(event="loss", step=fact["step"], birth=from_graph(origin),
                       failed=fact.get("failed"), is_exact=False)  # fmt: skip
    if "autopsy" not in run.facts:
        return None
    birth = fact.get("birth") or {}
    return Autopsy(
        event=fact["event"], step=birth.get("step", fact["step"]), birth=birth,
        failed=fact.get("failed"), since=fact.get("since", 0), blackbox=fact.get("blackbox"),
    )  # fmt: skip


def exact(run: Training) -> Autopsy | None:
    """The autopsy of a training, if every operation was watched and one was found."""
    found = of(run)
    return found if found is not None and found.birth and found.is_exact else None


def is_root(run: Training) -> bool:
    """Whether a formula or the data made the first bad value, and nothing had been growing."""
    found = exact(run)
    if found is None or growth(run, found.step):
        return False
    return found.cause(run) in ("formula", "division", "mask", "data")


def from_graph(origin: Mapping[str, Any]) -> dict[str, Any]:
    """A birth, as far as a look through what the forward saved can tell."""
    node = str(origin["op"])
    operand = origin.get("operand")
    return {
        **origin, "op": DOMAINS[node].word if node in DOMAINS else node.lower(),
        "arrived": node if node in ("data", "parameter") else None,
        "phase": "forward", "kind": "nan", "count": 0, "size": 0, "index": (), "dtype": "",
        "operands": [] if operand is None else [{"value": float(operand)}],
        "key": None if operand is None else 0,
    }  # fmt: skip


def at(place: Mapping[str, Any]) -> str:
    return f" at {place['file']}:{place['line']}" if place.get("line") else ""


def kind(birth: Mapping[str, Any]) -> str:
    return {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}[birth["kind"]]
