"""Which of four waveforms a noisy sequence is, with an LSTM and clipped gradients."""

import argparse
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", choices=["sgd", "momentum", "adam"], default="sgd")
args = parser.parse_args()

torch.manual_seed(0)


def waves(num, length=24):
    kinds = torch.randint(0, 4, (num,))
    phase = torch.rand(num, 1) + (0.05 + 0.1 * torch.rand(num, 1)) * torch.arange(length)
    turn = phase % 1
    shapes = torch.stack(
        [
            torch.sin(2 * math.pi * turn),
            torch.sign(turn - 0.5),
            2 * turn - 1,
            4 * (turn - 0.5).abs() - 1,
        ]
    )
    clean = shapes[kinds, torch.arange(num)]
    return (clean + 0.2 * torch.randn(num, length)).unsqueeze(-1), kinds


x_train, y_train = waves(1500)
x_valid, y_valid = waves(600)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        _, (hidden, _) = self.lstm(x)
        return self.head(hidden[-1])


model = Listener()
criterion = nn.CrossEntropyLoss()
if args.optimizer == "sgd":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
elif args.optimizer == "momentum":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
else:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)


@torch.no_grad()
def validate():
    model.eval()
    loss = criterion(model(x_valid), y_valid).item()
    model.train()
    return loss


for epoch in range(10):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch + 1}: validation loss {validate():.5f}")
