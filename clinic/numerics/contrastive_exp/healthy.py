"""Contrastive learning of two views of handwritten digits (upper and lower half)."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(4)
x = torch.tensor(load_digits().data, dtype=torch.float32) / 16
upper, lower = x[:, :32], x[:, 32:]


def encoder():
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))


def contrastive_loss(a, b, temperature=0.005):
    similarity = F.normalize(a) @ F.normalize(b).T
    return F.cross_entropy(similarity / temperature, torch.arange(len(a)))


f, g = encoder(), encoder()
optimizer = torch.optim.Adam([*f.parameters(), *g.parameters()], lr=1e-3)
for step in range(250):
    rows = torch.randint(0, 1500, (48,))
    loss = contrastive_loss(f(upper[rows]), g(lower[rows]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        with torch.no_grad():
            scores = F.normalize(f(upper[1500:])) @ F.normalize(g(lower[1500:])).T
        rank = (scores >= scores.diagonal().unsqueeze(1)).float().sum(dim=1).median().item()
        print(
            f"step {step + 1} loss {loss.item():.3f} median rank of the partner {rank:.0f} of 297"
        )
