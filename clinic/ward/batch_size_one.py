"""Stochastic gradient descent, one sample at a time, on a smooth surface: test MSE about 0.014 (noise 0.01)."""

import random

import torch
from torch import nn, optim

SEED = 17
random.seed(SEED)
torch.manual_seed(SEED)


def observe(n):
    x = torch.rand(n, 2) * 2 - 1
    y = torch.sin(2.5 * x[:, 0]) * torch.cos(1.5 * x[:, 1]) + 0.1 * torch.randn(n)
    return x, y[:, None]


x_train, y_train = observe(1500)
x_test, y_test = observe(1000)
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
criterion = nn.MSELoss()
sgd = optim.SGD(net.parameters(), lr=0.05)
schedule = optim.lr_scheduler.LinearLR(sgd, start_factor=1.0, end_factor=0.1, total_iters=5)

for epoch in range(5):
    net.train()
    order = list(range(len(x_train)))
    random.shuffle(order)
    total = 0.0
    for i in order:
        loss = criterion(net(x_train[i : i + 1]), y_train[i : i + 1])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        total += loss.item()
    schedule.step()
    net.eval()
    with torch.no_grad():
        test = criterion(net(x_test), y_test).item()
    print(f"epoch {epoch}: train {total / len(order):.4f} test {test:.4f}")

print(f"test MSE {test:.4f}, variance of the targets {y_test.var().item():.4f}")
