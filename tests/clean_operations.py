"""A hundred operations, losses and layers of PyTorch whose gradients are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Case = tuple[Callable[..., Any], list[Any]]


def real(*shape: int) -> Tensor:
    return torch.randn(*shape)


def positive(*shape: int) -> Tensor:
    return torch.rand(*shape) + 0.1


def share(*shape: int) -> Tensor:
    return 0.05 + 0.9 * torch.rand(*shape)


def definite(size: int) -> Tensor:
    root = torch.randn(size, size)
    return root @ root.T + size * torch.eye(size)


def labels(*shape: int, classes: int = 5) -> Tensor:
    return torch.randint(0, classes, shape)


def elementwise() -> dict[str, Case]:
    smooth: dict[str, Callable[..., Tensor]] = {
        "sin": torch.sin, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "exp": torch.exp,
        "erf": torch.erf, "atan": torch.atan, "sinh": torch.sinh, "square": torch.square,
        "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
        "logsigmoid": F.logsigmoid, "sinc": torch.sinc, "i0": torch.i0,
        "relu": F.relu, "leaky relu": F.leaky_relu, "elu": F.elu, "selu": F.selu, "celu": F.celu,
        "abs": torch.abs, "hardtanh": F.hardtanh, "hardswish": F.hardswish,
        "hardsigmoid": F.hardsigmoid, "relu6": F.relu6, "softshrink": F.softshrink,
        "hardshrink": F.hardshrink, "softsign": F.softsign, "tanhshrink": F.tanhshrink,
        "clamp": lambda x: x.clamp(-0.5, 0.5), "cube": lambda x: x**3,
    }  # fmt: skip
    over_positive: dict[str, Callable[..., Tensor]] = {
        "log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal,
        "log1p": torch.log1p, "lgamma": torch.lgamma, "digamma": torch.digamma,
        "power": lambda x: x**1.7, "log2": torch.log2,
    }  # fmt: skip
    over_shares: dict[str, Callable[..., Tensor]] = {
        "asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh, "logit": torch.logit,
        "erfinv": torch.erfinv,
    }  # fmt: skip
    return {
        **{name: (function, [real(20, 15)]) for name, function in smooth.items()},
        **{name: (function, [positive(20, 15)]) for name, function in over_positive.items()},
        **{name: (function, [share(20, 15)]) for name, function in over_shares.items()},
        "multiplication": (torch.mul, [real(8, 5), real(5)]),
        "division": (torch.div, [real(8, 5), positive(8, 1)]),
        "atan2": (torch.atan2, [real(30), real(30)]),
        "where": (lambda x, y: torch.where(x > 0, x, x * y), [real(30), real(30)]),
        "maximum": (torch.maximum, [real(30), real(30)]),
        "prelu": (F.prelu, [real(6, 4), torch.tensor([0.2])]),
    }


def reductions() -> dict[str, Case]:
    return {
        "mean": (torch.mean, [real(40)]),
        "std": (lambda x: x.std(0), [real(9, 4)]),
        "prod": (lambda x: x.prod(1), [real(6, 5)]),
        "cumprod": (lambda x: x.cumprod(0), [torch.tensor([1.0, 2, 0, 3, 0, 4])]),
        "cumsum": (lambda x: x.cumsum(1), [real(4, 9)]),
        "logcumsumexp": (lambda x: x.logcumsumexp(0), [real(30)]),
        "logsumexp": (lambda x: x.logsumexp(1), [real(6, 7)]),
        "maximum over a row": (lambda x: x.max(1), [real(9, 7)]),
        "median": (lambda x: x.median(1), [real(9, 7)]),
        "sort": (lambda x: x.sort(1), [real(9, 7)]),
        "largest": (lambda x: x.topk(3, 1), [real(9, 7)]),
        "norm": (lambda x: x.norm(dim=1), [real(9, 7)]),
        "norm of order 1": (lambda x: x.norm(p=1, dim=1), [real(9, 7)]),
        "distances": (torch.cdist, [real(6, 3), real(5, 3)]),
        "softmax": (lambda x: x.softmax(-1), [real(9, 7)]),
        "log softmax": (lambda x: x.log_softmax(-1), [real(9, 7)]),
        "gather": (lambda x, i: x.gather(1, i), [real(9, 7), labels(9, 3)]),
        "scatter": (lambda x, i, y: x.scatter_add(1, i, y), [real(9, 7), labels(9, 3), real(9, 3)]),
        "in place": (lambda x: x.mul_(2).tanh_(), [real(30)]),
        "renorm": (lambda x: x.renorm(2, 0, 1.0), [real(6, 5)]),
    }


def algebra() -> dict[str, Case]:
    matrix, other = real(5, 5), real(5, 5)
    return {
        "matmul": (torch.matmul, [real(4, 6, 5), real(5, 3)]),
        "einsum": (lambda x, y: torch.einsum("bij,bjk->bik", x, y), [real(3, 4, 5), real(3, 5, 2)]),
        "inverse": (torch.linalg.inv, [definite(5)]),
        "determinant": (torch.linalg.det, [matrix]),
        "log determinant": (torch.linalg.slogdet, [matrix]),
        "solve": (torch.linalg.solve, [definite(5), real(5, 2)]),
        "cholesky": (torch.linalg.cholesky, [definite(5)]),
        "eigenvalues": (torch.linalg.eigvalsh, [definite(5)]),
        "singular values": (torch.linalg.svdvals, [real(6, 4)]),
        "QR": (torch.linalg.qr, [real(6, 4)]),
        "matrix exponential": (torch.linalg.matrix_exp, [0.3 * other]),
        "pseudo-inverse": (torch.linalg.pinv, [real(6, 4)]),
        "Fourier transform": (torch.fft.rfft, [real(16)]),
        "ill-conditioned solve": (
            torch.linalg.solve,
            [torch.diag(torch.logspace(0, -5, 6)) + 1e-7, real(6)],
        ),
    }  # fmt: skip


def losses() -> dict[str, Case]:
    scores, classes = real(8, 5), labels(8)
    return {
        "cross-entropy": (F.cross_entropy, [scores, classes]),
        "cross-entropy, smoothed": (
            lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), [scores, classes],
        ),
        "cross-entropy with shares": (F.cross_entropy, [scores, real(8, 5).softmax(1)]),
        "nll": (lambda x, y: F.nll_loss(x.log_softmax(1), y), [scores, classes]),
        "mse": (F.mse_loss, [real(8, 5), real(8, 5)]),
        "l1": (F.l1_loss, [real(8, 5), real(8, 5)]),
        "huber": (F.huber_loss, [real(8, 5), real(8, 5)]),
        "smooth l1": (F.smooth_l1_loss, [real(8, 5), real(8, 5)]),
        "bce": (F.binary_cross_entropy, [share(8, 5), share(8, 5)]),
        "bce with logits": (
            F.binary_cross_entropy_with_logits, [real(8, 5), labels(8, 5, classes=2).float()],
        ),
        "kl": (lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1)), [real(8, 5), real(8, 5)]),
        "cosine": (F.cosine_similarity, [real(8, 5), real(8, 5)]),
        "hinge": (F.multi_margin_loss, [scores, classes]),
        "triplet": (F.triplet_margin_loss, [real(8, 5), real(8, 5), real(8, 5)]),
        "poisson": (F.poisson_nll_loss, [real(8, 5), positive(8, 5)]),
        "ctc": (
            lambda x: F.ctc_loss(
                x.log_softmax(2), torch.tensor([[1, 2], [3, 1]]), (6, 6), (2, 2)
            ),
            [real(6, 2, 5)],
        ),
    }  # fmt: skip


def layers() -> dict[str, Case]:
    image, sequence = real(2, 3, 8, 8), real(2, 5, 8)
    return {
        "linear": (nn.Linear(6, 4), [real(5, 6)]),
        "bilinear": (nn.Bilinear(3, 4, 2), [real(5, 3), real(5, 4)]),
        "conv1d": (nn.Conv1d(3, 4, 3), [real(2, 3, 9)]),
        "conv2d": (nn.Conv2d(3, 4, 3, padding=1), [image]),
        "transposed conv": (nn.ConvTranspose2d(3, 2, 3, stride=2), [image]),
        "max pool": (nn.MaxPool2d(2), [image]),
        "mean pool": (nn.AvgPool2d(2), [image]),
        "adaptive max pool": (nn.AdaptiveMaxPool2d(3), [image]),
        "batch norm": (nn.BatchNorm2d(3), [image]),
        "batch norm, evaluating": (nn.BatchNorm2d(3).eval(), [image]),
        "layer norm": (nn.LayerNorm(8), [sequence]),
        "group norm": (nn.GroupNorm(3, 3), [image]),
        "rms norm": (nn.RMSNorm(8), [sequence]),
        "LSTM cell": (nn.LSTMCell(4, 3), [real(2, 4)]),
        "LSTM": (nn.LSTM(8, 3, batch_first=True), [sequence]),
        "GRU": (nn.GRU(8, 3, num_layers=2, dropout=0.5, batch_first=True), [sequence]),
        "attention": (F.scaled_dot_product_attention, [sequence, sequence + 1, sequence * 2]),
        "multi-head attention": (nn.MultiheadAttention(8, 2), [sequence, sequence, sequence]),
        "transformer": (
            nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True), [sequence],
        ),
        "transformer, evaluating": (
            nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).eval(),
            [sequence],
        ),
        "embedding": (nn.Embedding(10, 4), [labels(6)]),
        "embedding bag": (nn.EmbeddingBag(10, 4), [labels(6), torch.tensor([0, 2])]),
        "network of relus": (
            nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()), [real(16, 8)],
        ),
        "interpolation": (
            lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"), [image],
        ),
        "grid sample": (
            lambda x, grid: F.grid_sample(x, grid, align_corners=False),
            [image, 2 * torch.rand(2, 4, 4, 2) - 1],
        ),
        "pixel shuffle": (nn.PixelShuffle(2), [real(1, 4, 3, 3)]),
        "unfold": (nn.Unfold(3), [image]),
        "dropout": (nn.Dropout(0.5), [real(30)]),
    }  # fmt: skip


def cases() -> dict[str, Case]:
    """Everything, seeded."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return {**elementwise(), **reductions(), **algebra(), **losses(), **layers()}
