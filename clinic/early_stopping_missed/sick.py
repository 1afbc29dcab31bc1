"""Predict a noisy curve from its cosine features by gradient descent on all of them at once."""

import math

import torch
from torch import nn

torch.manual_seed(30)
FEATURES = 32


def curve(n):
    t = torch.rand(n, 1)
    y = torch.sin(5 * t) + 0.5 * t + 0.35 * torch.randn(n, 1)
    waves = torch.cos(math.pi * t * torch.arange(FEATURES)) / (1 + torch.arange(FEATURES)) ** 0.25
    return waves, (y - 0.6) / 0.75


x, y = curve(120)
x_val, y_val = curve(300)
model = nn.Linear(FEATURES, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9, nesterov=True)
mse = nn.MSELoss()

for step in range(1, 601):
    loss = mse(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        with torch.no_grad():
            val_loss = mse(model(x_val), y_val).item()
        print(f"step {step}: training {loss.item():.4f}, validation {val_loss:.4f}")

with torch.no_grad():
    print(f"validation error of the final model {mse(model(x_val), y_val).item():.4f}")
