"""``babysit.gradcheck``: wrong elements are named, right gradients pass, nothing is disturbed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import babysit
from babysit.errors import BabysitError
from tests.clean_operations import cases

CLEAN = cases()


def custom(forward: Callable[..., Tensor], backward: Callable[..., Any]) -> Callable[..., Tensor]:
    """An autograd function from ``forward(*inputs)`` and ``backward(gradient, *inputs)``."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> Tensor:
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Any:
            return backward(*gradients, *ctx.saved_tensors)

    return Custom.apply  # type: ignore[no-any-return]  # untyped in torch


def spoiled_tanh(where: int | slice, factor: float) -> Callable[..., Tensor]:
    def backward(gradient: Tensor, x: Tensor) -> Tensor:
        found = gradient * (1 - x.tanh() ** 2)
        found.view(-1)[where] *= factor
        return found

    return custom(torch.tanh, backward)


def spoiled_softmax(where: int) -> Callable[..., Tensor]:
    def backward(gradient: Tensor, x: Tensor) -> Tensor:
        y = x.softmax(-1)
        found = y * (gradient - (gradient * y).sum(-1, keepdim=True))
        found.view(-1)[where] *= 1.01
        return found

    return custom(lambda x: x.softmax(-1), backward)


@pytest.mark.parametrize("make", [lambda at: spoiled_tanh(at, 1.01), spoiled_softmax])
def test_one_wrong_element_of_ten_thousand_is_named_every_time(
    make: Callable[[int], Callable[..., Tensor]],
) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        at = int(torch.randint(10_000, (), generator=generator))
        result = babysit.gradcheck(make(at), torch.randn(100, 100, generator=generator))
        assert [one.element for one in result.mismatches] == [divmod(at, 100)]
        assert result.mismatches[0].relative_error == pytest.approx(0.01, rel=0.01)
        assert not result and result.num_wrong == 1


@pytest.mark.parametrize("name", CLEAN)
def test_right_gradients_are_not_accused(name: str) -> None:
    function, inputs = CLEAN[name]
    result = babysit.gradcheck(function, inputs)
    assert result.mismatches == ()
    assert result.ok and result.num_checked > 0


def test_there_are_a_hundred_clean_operations() -> None:
    assert len(CLEAN) >= 100


def test_a_scale_error_of_a_thousandth_is_found_everywhere() -> None:
    result = babysit.gradcheck(spoiled_tanh(slice(None), 1.001), torch.randn(40, 50))
    assert result.num_wrong == 2000 and len(result.mismatches) == 5


def test_errors_below_rtol_pass() -> None:
    assert babysit.gradcheck(spoiled_tanh(slice(None), 1.001), torch.randn(50), rtol=0.01)


def test_scattered_errors_of_a_coupled_function_are_counted_roughly() -> None:
    def backward(gradient: Tensor, x: Tensor) -> Tensor:
        found = gradient.flip(0).cumsum(0).flip(0)
        found[::50] *= 1.5
        return found

    function = custom(lambda x: x.cumsum(0), backward)
    result = babysit.gradcheck(function, torch.randn(2000))
    assert all(one.element[0] % 50 == 0 for one in result.mismatches)
    assert 20 <= result.num_wrong <= 80


def test_an_error_does_not_drown_beside_elements_of_great_influence() -> None:
    def backward(gradient: Tensor, x: Tensor) -> Tensor:
        found = -gradient / x**2
        found[3] *= 1.01
        return found

    x = torch.linspace(1, 2, 50)
    x[7] = 1e-6
    result = babysit.gradcheck(custom(torch.reciprocal, backward), x)
    assert [one.element for one in result.mismatches] == [(3,)]


def test_a_function_that_returns_float32_is_said_to_be_checked_roughly() -> None:
    result = babysit.gradcheck(lambda x: x.sin().float(), torch.randn(20))
    assert result.ok
    assert result.notes == ("The function returns float32: only errors of some per cent show.",)


def test_the_wrong_input_of_a_matrix_product_is_named() -> None:
    def backward(gradient: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        wrong = x.T @ gradient
        wrong[3, 1] *= 1.01
        return gradient @ w.T, wrong

    result = babysit.gradcheck(
        custom(torch.matmul, backward), [torch.randn(6, 5), torch.randn(5, 4)]
    )
    assert [(one.input, one.element) for one in result.mismatches] == [(1, (3, 1))]
    assert "input 1, element (3, 1): the backward gives" in str(result)
    assert "1 % too large" in str(result)


def test_a_row_sum_forgotten_by_the_backward_is_found() -> None:
    function = custom(lambda x: x.softmax(-1), lambda gradient, x: gradient * x.softmax(-1))
    assert not babysit.gradcheck(function, torch.randn(20, 30))


def test_parameters_of_a_module_are_checked_by_name() -> None:
    class Swish(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([0.5, 2.0]))

        def forward(self, x: Tensor) -> Tensor:
            return custom(torch.mul, lambda gradient, x, w: (gradient * w, 2 * gradient * x))(
                x, self.scale
            )

    result = babysit.gradcheck(Swish(), torch.randn(2))
    assert {one.input for one in result.mismatches} == {"scale"}
    assert "parameter scale, element (0,)" in str(result)


def test_the_report_of_a_right_gradient_is_one_line() -> None:
    result = babysit.gradcheck(torch.tanh, torch.randn(6))
    assert str(result).startswith("The gradient is right: 6 elements checked (")
    assert result.notes == () and result.left_out == 0 and result.seconds > 0


# -- kinks -------------------------------------------------------------------------------


def test_elements_at_a_kink_are_left_out_and_counted() -> None:
    x = torch.randn(10, 10)
    x[2, 3] = x[4, 5] = 0
    result = babysit.gradcheck(F.relu, x)
    assert result.ok and (result.left_out, result.num_checked) == (2, 98)
    assert "Left out 2 elements at a kink" in str(result)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (F.relu, torch.zeros(10, 10)),
        (F.relu, torch.arange(-500, 500).clamp(min=0).float()),
        (lambda x: F.max_pool2d(x, 2), torch.ones(1, 1, 8, 8)),
        (lambda x: x.sort().values, torch.tensor([1.0, 1, 2, 2, 3])),
        (torch.norm, torch.zeros(5)),
        (lambda x: F.relu(x @ x.new_ones(4, 3)), torch.tensor([[1.0, -1, 2, -2]])),
        (nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU()), torch.zeros(4, 8)),
    ],
    ids=["relu of zeros", "relu of relu", "ties", "sorted ties", "norm", "hidden", "network"],
)
def test_inputs_on_many_kinks_are_checked_beside_them(
    function: Callable[..., Tensor], x: Tensor
) -> None:
    result = babysit.gradcheck(function, x)
    assert result.ok and result.left_out == 0
    assert "Input 0 lies on many kinks" in str(result)


def test_errors_are_found_beside_kinks_too() -> None:
    function = custom(F.relu, lambda gradient, x: 1.01 * gradient * (x > 0))
    assert not babysit.gradcheck(function, torch.arange(-500, 500).clamp(min=0).float())


def test_the_border_of_a_domain_is_left_out() -> None:
    result = babysit.gradcheck(torch.sqrt, torch.tensor([0.0, 1, 2]))
    assert result.ok and (result.left_out, result.num_checked) == (1, 2)


# -- randomness --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        nn.Dropout(0.5),
        lambda x: x * random.random(),
        lambda x: x * float(np.random.rand()),
    ],
    ids=["torch", "python", "numpy"],
)
def test_random_functions_are_given_the_same_numbers(function: Callable[..., Tensor]) -> None:
    result = babysit.gradcheck(function, torch.randn(30))
    assert result.ok
    assert result.notes == (
        "The function draws random numbers (dropout?): all calls were given the same ones.",
    )


def test_a_function_that_cannot_be_repeated_is_said_not_to_be_checked() -> None:
    generator = torch.Generator()
    result = babysit.gradcheck(lambda x: x * torch.rand(5, generator=generator), torch.randn(5))
    assert not result and result.mismatches == () and result.num_checked == 0
    assert "different results for the same inputs" in str(result)


# -- inputs and outputs of all kinds -----------------------------------------------------


def test_expanded_inputs_are_checked_element_by_element() -> None:
    assert babysit.gradcheck(torch.tanh, torch.randn(1).expand(20)).num_checked == 20


def test_functions_of_float32_are_checked_as_they_are() -> None:
    def only_single(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32 only")
        return x.sin()

    right = custom(only_single, lambda gradient, x: gradient * x.cos())
    wrong = custom(only_single, lambda gradient, x: 1.1 * gradient * x.cos())
    assert "does not take float64: checked in float32" in str(
        babysit.gradcheck(right, torch.randn(500))
    )
    assert babysit.gradcheck(right, torch.randn(500))
    assert not babysit.gradcheck(wrong, torch.randn(500))


def test_functions_that_calculate_in_float32_are_not_accused() -> None:
    result = babysit.gradcheck(lambda x: x.float().sin().double(), torch.randn(500))
    assert result.ok
    wrong = custom(torch.sin, lambda gradient, x: 1.1 * gradient * x.cos())
    assert not babysit.gradcheck(lambda x: wrong(x.float()).double(), torch.randn(500))


def test_an_input_without_gradient_is_told() -> None:
    result = babysit.gradcheck(lambda x, y: x.sin() + y.detach(), [torch.randn(3), torch.randn(3)])
    assert result.ok
    assert result.notes == ("Input 1 gets no gradient, although the outputs depend on it.",)
    unused = babysit.gradcheck(lambda x, y: x.sin(), [torch.randn(3), torch.randn(3)])
    assert unused.notes == ("Input 1 gets no gradient.",)


def test_complex_inputs_are_said_not_to_be_checked() -> None:
    z = torch.randn(3, dtype=torch.complex64)
    result = babysit.gradcheck(lambda z, x: z.abs() * x, [z, torch.randn(3)])
    assert result.ok and result.notes == ("Input 0 is complex: it is not checked.",)


def test_outputs_without_gradient_are_told() -> None:
    result = babysit.gradcheck(lambda x: (x.sin(), x.detach()), torch.randn(3))
    assert result.ok and result.notes == ("Output 1 carries no gradient: it is not checked.",)
    nothing = babysit.gradcheck(lambda x: x.argmax(), torch.randn(3))
    assert not nothing and "No output carries a gradient" in str(nothing)


def test_a_result_that_is_not_finite_is_told_with_its_element() -> None:
    result = babysit.gradcheck(torch.log, torch.tensor([1.0, -1.0]))
    assert not result and result.num_checked == 0
    assert "Output 0, element (1,) is nan at the given inputs" in str(result)


def test_a_gradient_of_nan_is_a_mismatch() -> None:
    def root(x: Tensor) -> Tensor:
        return torch.where(x > 0, x.sqrt(), torch.zeros_like(x))

    result = babysit.gradcheck(root, torch.tensor([1.0, -1, 2]))
    assert [one.element for one in result.mismatches] == [(1,)]
    assert "the backward gives NaN, the difference quotient 0" in str(result)


def test_matrices_of_which_one_triangle_is_read_are_kept_symmetric() -> None:
    function, inputs = CLEAN["cholesky"]
    result = babysit.gradcheck(function, inputs)
    assert result.ok and "Only one triangle of input 0 is read" in str(result)


def test_infinite_elements_of_a_mask_are_left_out() -> None:
    mask = torch.zeros(5, 5).masked_fill(torch.ones(5, 5).triu(1) == 1, -torch.inf)
    result = babysit.gradcheck(lambda x, y: (x + y).softmax(-1), [torch.randn(5, 5), mask])
    assert result.ok and result.num_checked == 40
    assert "Input 1 has 10 elements not finite: left out." in str(result)


def test_inputs_that_have_no_derivative_are_constants_when_others_are_marked() -> None:
    inputs = [torch.randn(4, 3).requires_grad_(), torch.tensor([0, 1, 2, 0]), torch.rand(3)]
    result = babysit.gradcheck(F.cross_entropy, inputs)
    assert result.ok and result.notes == ("Input 2 is taken as a constant.",)


# -- nothing is disturbed ----------------------------------------------------------------


def test_the_users_tensors_modules_and_random_states_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    model[0].weight.grad = torch.ones(4, 3)
    x = torch.randn(5, 3, requires_grad=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    kept = x.detach().clone()
    with torch.no_grad():
        assert babysit.gradcheck(model, x)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and np.array_equal(np.random.get_state()[1], states[2])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones(4, 3)) and model[1].weight.grad is None
    assert x.grad is None and x.requires_grad and torch.equal(x, kept)
    assert model.training and model[0].weight.dtype == torch.float32


def test_random_states_survive_a_function_that_fails() -> None:
    before = torch.get_rng_state()

    def fail(x: Tensor) -> Tensor:
        torch.rand(3)
        raise ValueError("no")

    with pytest.raises(BabysitError):
        babysit.gradcheck(fail, torch.randn(3, generator=torch.Generator()))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_seed_gives_the_same_answer() -> None:
    function, x = spoiled_tanh(slice(0, 9), 2.0), torch.linspace(-1, 1, 50)
    first, second = (babysit.gradcheck(function, x, seed=3) for _ in range(2))
    assert first.mismatches == second.mismatches


# -- misuse ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.sin, torch.arange(3)), r"a tensor of int64 \(3,\), no floating-point tensor"),
        ((torch.sin, torch.randn(0)), "there is nothing to differentiate by"),
        ((torch.sin, {"x": 1}), "got a dict as inputs"),
        ((torch.randn(3), torch.sin), "got a Tensor as function"),
        ((lambda x: x @ x, torch.randn(4, 3)), "fails on the given inputs.*RuntimeError: mat1"),
    ],
)
def test_misuse_is_told_in_a_sentence(arguments: tuple[Any, Any], message: str) -> None:
    with pytest.raises(BabysitError, match=message):
        babysit.gradcheck(*arguments)


def test_a_negative_rtol_is_refused() -> None:
    with pytest.raises(BabysitError, match="rtol=-1"):
        babysit.gradcheck(torch.sin, torch.randn(3), rtol=-1)


def test_a_backward_that_raises_is_told() -> None:
    def backward(gradient: Tensor, x: Tensor) -> Tensor:
        raise ValueError("oops")

    with pytest.raises(BabysitError, match=r"backward of the function fails: ValueError: oops\."):
        babysit.gradcheck(custom(torch.sin, backward), torch.randn(3))
