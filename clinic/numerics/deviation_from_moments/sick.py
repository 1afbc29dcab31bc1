"""Bearing wear from windows of a pressure sensor (hPa)."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)


def windows(n):
    wear = torch.rand(n, 1)
    level = 1013 + 8 * torch.randn(n, 1)
    return level + (0.02 + 1.5 * wear) * torch.randn(n, 40), wear


class WearNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, pressure):
        mean = pressure.mean(dim=1)
        mean_square = (pressure**2).mean(dim=1)
        deviation = torch.sqrt(mean_square - mean**2)
        return self.body(torch.stack([(mean - 1013) / 10, deviation], dim=1))


loader = DataLoader(TensorDataset(*windows(1500)), batch_size=8, shuffle=True)
x_val, y_val = windows(300)
net = WearNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    total = 0
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        val = (net(x_val) - y_val).abs().mean().item()
    print(f"epoch {epoch} mse {total / len(loader):.4f} val mae {val:.4f}")
