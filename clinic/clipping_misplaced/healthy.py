"""Regression with heavy-tailed noise: a few targets are far off, so gradients are clipped."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(7)
torch.manual_seed(7)


def samples(count, noise):
    x = rng.normal(size=(count, 6))
    y = np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] - 0.3 * x[:, 3]
    y = y + noise * rng.standard_t(1.3, size=count)
    return torch.tensor(x).float(), torch.tensor(y).float().unsqueeze(1)


x_train, y_train = samples(2000, noise=0.1)
x_test, y_test = samples(500, noise=0.0)

model = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)

for step in range(1, 901):
    chosen = torch.from_numpy(rng.integers(0, len(x_train), 32))
    x, y = x_train[chosen], y_train[chosen]
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 150 == 0:
        model.eval()
        with torch.no_grad():
            error = criterion(model(x_test), y_test).item()
        model.train()
        print(f"step {step}: test error {error:.4f}")
