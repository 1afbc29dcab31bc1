# Which small rotation turned the points? Rodrigues' formula on predicted rotation vectors.
import torch
import torch.nn as nn

torch.manual_seed(12)


def skew(w):
    zero = torch.zeros_like(w[:, 0])
    rows = [zero, -w[:, 2], w[:, 1], w[:, 2], zero, -w[:, 0], -w[:, 1], w[:, 0], zero]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def rotation(w):
    angle = w.norm(dim=1).view(-1, 1, 1)
    k = skew(w)
    first = torch.where(angle > 1e-6, torch.sin(angle) / angle, torch.ones_like(angle))
    half = torch.where(angle > 1e-6, torch.sin(angle / 2), torch.zeros_like(angle))
    second = 2 * half**2 / (angle**2 + 1e-8)
    return torch.eye(3) + first * k + second * (k @ k)


points = torch.randn(2000, 4, 3)
vectors = 0.4 * torch.randn(2000, 3)
turned = points @ rotation(vectors).transpose(1, 2)
inputs = torch.cat([points.flatten(1), turned.flatten(1)], dim=1)


class Estimator(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.head = nn.Linear(96, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.trunk(x))


model = Estimator()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(300):
    i = torch.randint(0, 1800, (64,))
    guess = points[i] @ rotation(model(inputs[i])).transpose(1, 2)
    loss = (guess - turned[i]).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0 or step == 299:
        print(f"{step:3d} loss {loss.item():.4f}")
