"""Two kinds of sensor readings, told apart by a small SiLU network trained with RMSprop."""

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

torch.manual_seed(14)
rng = np.random.default_rng(14)


def readings(n, mistakes=0.0):
    points, kind = make_moons(n, noise=0.12, random_state=rng.integers(1000))
    is_wrong = rng.random(n) < mistakes
    kind = np.where(is_wrong, 1 - kind, kind)
    points = (points - [0.5, 0.25]) / [0.87, 0.5]
    return torch.tensor(points, dtype=torch.float32), torch.tensor(kind, dtype=torch.float32)


x, y = readings(400)
valid_x, valid_y = readings(400)

net = nn.Sequential(nn.Linear(2, 24), nn.SiLU(), nn.Linear(24, 24), nn.SiLU(), nn.Linear(24, 1))
optimizer = torch.optim.RMSprop(net.parameters(), lr=6e-3)

for epoch in range(1, 26):
    for rows in torch.randperm(len(x)).split(40):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        net.eval()
        with torch.no_grad():
            logits = net(valid_x)[:, 0]
            valid_loss = binary_cross_entropy_with_logits(logits, valid_y)
        net.train()
        print(f"epoch {epoch}: validation loss {valid_loss:.4f}")

accuracy = ((logits > 0) == valid_y.bool()).float().mean()
print(f"validation accuracy {accuracy:.3f}")
