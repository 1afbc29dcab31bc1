import torch
from torch import nn

torch.manual_seed(10)

# Learn a Mahalanobis metric; the spectrum of the metric is kept close to a target spectrum.
n, d = 400, 6
scales = torch.tensor([2.5, 2.0, 1.0, 0.5, 0.5, 0.2])
x = torch.randn(n, d)
pairs = torch.randint(0, n, (3000, 2))
difference = x[pairs[:, 0]] - x[pairs[:, 1]]
distance = ((difference * scales) ** 2).sum(dim=1)
distance = distance * (1 + 0.05 * torch.randn(len(distance)))


class Metric(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.factor = nn.Parameter(torch.eye(dim))

    def matrix(self):
        return self.factor @ self.factor.T

    def forward(self, v):
        return ((v @ self.matrix()) * v).sum(dim=1)


def spectrum_penalty(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    concentration = (vectors**4).sum()
    return 0.01 * values.clamp_min(0).sqrt().sum() - 0.01 * concentration


metric = Metric(d)
optimizer = torch.optim.Adam(metric.parameters(), lr=0.02)
for step in range(300):
    rows = torch.randint(0, 2700, (128,))
    fit = (metric(difference[rows]) - distance[rows]).abs().mean()
    loss = fit + spectrum_penalty(metric.matrix())
    if not torch.isfinite(loss):
        print("step", step, "loss", loss.item())
        break
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        print("step", step, "loss", round(loss.item(), 4))
with torch.no_grad():
    print("held out", (metric(difference[2700:]) - distance[2700:]).abs().mean().item())
