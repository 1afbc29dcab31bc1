"""Stable forms of operations that are undefined or overflow: in words, and for a given line."""

from __future__ import annotations

import ast
from typing import Final

MASK: Final = (
    "No softmax over a row that is masked as a whole: leave at least one entry free, leave such "
    "rows out, or mask with a large finite number such as -1e9; and give log and division only "
    "what the mask lets pass."
)
HALF: Final = (
    "Compute this in float32: `.float()` before it, with autocast switched off around it; or use "
    "bfloat16, which has the range of float32. An eps below 6e-8 is 0 in float16."
)
BRAIN: Final = (
    "Compute this in float32: `.float()` before it, with autocast switched off around it. bfloat16 "
    "keeps 8 bits: `1 - p` is 0 for every p above 0.998."
)
_ROOT: Final = "Take the root of `x + 1e-12`: at 0 its slope is infinite, and 0 times that is NaN."
_LOG: Final = (
    "Take log_softmax or logsigmoid of the scores, or the log of `x.clamp_min(1e-8)`; a "
    "torch.where around it does not help its gradient."
)
_EXP: Final = (
    "Subtract the maximum first, as softmax and logsumexp do: give the scores themselves to "
    "cross_entropy, log_softmax, logsumexp or softplus."
)
_DIVISION: Final = "Add a small constant to the denominator, 1e-8, or leave such entries out."
_ARC: Final = "Clamp its operand to -1 + 1e-6 … 1 - 1e-6."
_SPECTRUM: Final = "Add a little noise or 1e-6 to the diagonal: equal values have no gradient here."
_FORMS: Final[dict[str, str]] = {
    "log": _LOG, "log2": _LOG, "log10": _LOG, "log1p": _LOG, "xlogy": _LOG, "log_prob": _LOG,
    "sqrt": _ROOT, "pow": "Keep the base above 0: `x.clamp_min(1e-8)`.", "norm": _ROOT,
    "std": "Take the root of `x.var(correction=0) + 1e-8`: constant values have no slope "
    "there, and of a single value (a last batch of one) the usual form is 0 / 0.", "rsqrt": _ROOT,
    "div": _DIVISION, "reciprocal": _DIVISION, "addcdiv": _DIVISION, "normalize": _DIVISION,
    "exp": _EXP, "exp2": _EXP, "expm1": _EXP, "sinh": _EXP, "cosh": _EXP, "softplus": _EXP,
    "acos": _ARC, "asin": _ARC, "atanh": _ARC, "erfinv": _ARC,
    "acosh": "Clamp its operand to 1 + 1e-6 or more.",
    "logit": "Give it an eps: `torch.logit(p, eps=1e-6)`.",
    "atan2": "Keep its operands from both being 0: add 1e-8 to one.",
    "cumprod": "Sum logarithms instead: `x.clamp_min(1e-8).log().cumsum(…).exp()`.",
    "prod": "Sum logarithms instead: `x.clamp_min(1e-8).log().sum(…).exp()`.",
    "eigh": _SPECTRUM, "svd": _SPECTRUM, "linalg_eig": _SPECTRUM,
    "logdet": "Add 1e-6 to the diagonal, so that the matrix is not singular.",
    "slogdet": "Add 1e-6 to the diagonal, so that the matrix is not singular.",
    "inverse": "Add 1e-6 to the diagonal, so that the matrix can be inverted.",
    "cholesky": "Add 1e-6 to the diagonal, so that the matrix is positive definite.",
    "mean": "The mean of nothing is NaN: leave empty selections out.",
    "softmax": MASK,
    "binary_cross_entropy": "Use binary_cross_entropy_with_logits on the scores.",
}  # fmt: skip
_METHODS: Final = {
    "log": "clamp_min(1e-08)", "log2": "clamp_min(1e-08)", "log10": "clamp_min(1e-08)",
    "sqrt": "add(1e-12)", "rsqrt": "add(1e-12)",
    "acos": "clamp(-1 + 1e-06, 1 - 1e-06)", "asin": "clamp(-1 + 1e-06, 1 - 1e-06)",
    "atanh": "clamp(-1 + 1e-06, 1 - 1e-06)", "pow": "clamp_min(1e-08)", "exp": "clamp_max(80.0)",
}  # fmt: skip


def form_of(op: str) -> str:
    """What to write instead of an operation, in words."""
    known = _FORMS.get(op)
    return (
        known or f"Keep the operands of `{op}` inside the range where value and slope are finite."
    )


def is_form(op: str) -> bool:
    """Whether there is a stable form of this operation."""
    return op in _FORMS


def stable_line(code: str, op: str) -> str | None:
    """A source line with the one such operation in it made safe; ``None`` where that is not sure.

    >>> stable_line("loss = -torch.log(p).mean()", "log")
    'loss = -torch.log(p.clamp_min(1e-08)).mean()'
    >>> stable_line("x = a / b", "div")
    'x = a / (b + 1e-08)'
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    mender = _Mender(op)
    mended = mender.visit(tree)
    return ast.unparse(mended).strip() if mender.num_mended == 1 else None


class _Mender(ast.NodeTransformer):
    """Puts a guard around the operand of one kind of operation."""

    def __init__(self, op: str) -> None:
        self._op = op
        self.num_mended = 0

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div) and self._op == "div":
            if isinstance(node.right, ast.Constant):
                return node
            self.num_mended += 1
            node.right = ast.BinOp(node.right, ast.Add(), ast.Constant(1e-8))
        elif isinstance(node.op, ast.Pow) and self._op == "pow":
            self.num_mended += 1
            node.left = guarded(node.left, self._op)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr.rstrip("_") != self._op:
            return node
        is_function = isinstance(function.value, ast.Name) and function.value.id in ("torch", "F")
        if self._op == "log" and is_function and self._is_softmax(node):
            return node
        if self._op not in _METHODS:
            return node
        self.num_mended += 1
        if is_function and node.args:
            node.args[0] = guarded(node.args[0], self._op)
        else:
            function.value = guarded(function.value, self._op)
        return node

    def _is_softmax(self, node: ast.Call) -> bool:
        """``torch.log(torch.softmax(z, 1))`` has a name of its own."""
        inner = node.args[0] if node.args else None
        if not isinstance(inner, ast.Call) or not isinstance(inner.func, ast.Attribute):
            return False
        if inner.func.attr != "softmax" or not isinstance(inner.func.value, ast.Name):
            return False
        self.num_mended += 1
        inner.func.attr = "log_softmax"
        node.func, node.args, node.keywords = inner.func, inner.args, inner.keywords
        return True


def guarded(value: ast.expr, op: str) -> ast.expr:
    """An expression with a method behind it that keeps it off the edge."""
    call = ast.parse(f"x.{_METHODS[op]}", mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    call.func.value = value
    return call
