"""The trainings whose step time is measured: a function each that returns one step to repeat."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

Step = Callable[[], None]


def mlp(width: int, batch: int) -> Step:
    model = nn.Sequential(
        nn.Linear(128, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )
    return classifier(model, torch.randn(batch, 128))


def cnn() -> Step:
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(64 * 64, 10),
    )  # fmt: skip
    return classifier(model, torch.randn(32, 3, 32, 32))


def classifier(model: nn.Module, inputs: torch.Tensor) -> Step:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    labels = torch.randint(0, 10, (len(inputs),))

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()

    return step


class Recurrent(nn.Module):
    """An LSTM whose last output is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(32, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0][:, -1])


class Encoder(nn.Module):
    """A small transformer whose mean is classified."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 4)
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x).mean(dim=1))


PROGRAMS: dict[str, Callable[[], Step]] = {
    "MLP, 2 ms": lambda: mlp(384, 96),
    "MLP, 20 ms": lambda: mlp(1024, 128),
    "CNN with batch norm": cnn,
    "LSTM, 40 steps": lambda: classifier(Recurrent(), torch.randn(32, 40, 32)),
    "transformer, 4 layers": lambda: classifier(Encoder(), torch.randn(16, 32, 64)),
}
