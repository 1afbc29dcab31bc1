"""Forged bank notes: a small network on four features of each note's picture."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(19)


def bank_notes(n):
    forged = torch.rand(n) < 0.45
    features = torch.randn(n, 4)
    features[:, 0] += 1.4 * forged - 0.6
    features[:, 1] += (features[:, 2] ** 2 - 1) * forged
    return features, forged.long()


notes = TensorDataset(*bank_notes(2000))
loader = DataLoader(notes, batch_size=40, shuffle=True)

net = nn.Sequential(nn.Linear(4, 40), nn.ELU(), nn.Linear(40, 40), nn.ELU(), nn.Linear(40, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(8):
    total = 0.0
    for features, forged in loader:
        loss = criterion(net(features), forged)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: loss {total / len(loader):.4f}")
