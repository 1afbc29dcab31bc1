"""Regression with input statistics collected during training and used in validation."""

import torch
from torch import nn

torch.manual_seed(27)


class InputNorm(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.register_buffer("total", torch.zeros(n_features, dtype=torch.float16))
        self.register_buffer("total_square", torch.zeros(n_features, dtype=torch.float16))
        self.count = 0

    def forward(self, x):
        if self.training:
            self.total += x.sum(dim=0)
            self.total_square += x.square().sum(dim=0)
            self.count += len(x)
            return (x - x.mean(dim=0)) / (x.std(dim=0) + 1e-5)
        mean = self.total.float() / self.count
        variance = self.total_square.float() / self.count - mean.square()
        return (x - mean) / (variance.clamp_min(1e-6).sqrt() + 1e-5)


x = torch.stack([170 + 9 * torch.randn(1000), 70 + 12 * torch.randn(1000)], dim=1)
y = x[:, 1] / (x[:, 0] / 100) ** 2 / 10 + 0.05 * torch.randn(1000)
model = nn.Sequential(InputNorm(2), nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(10):
    model.train()
    for rows in torch.randperm(800).split(40):
        loss = (model(x[rows]).squeeze(1) - y[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = (model(x[800:]).squeeze(1) - y[800:]).square().mean().item()
    print(f"epoch {epoch + 1}: train loss {loss.item():.4f} validation loss {val:.4f}")
