"""Learn the drag law of falling grains from simulated trajectories."""

import torch
from torch import nn

torch.manual_seed(3)
DT = 0.05
GRAVITY = torch.tensor([0.0, -9.81])


def simulate(velocity, drag, steps):
    path = []
    for _ in range(steps):
        speed = torch.sqrt((velocity**2).sum(dim=1, keepdim=True))
        velocity = velocity + DT * (GRAVITY - drag(speed) * velocity)
        path.append(velocity)
    return torch.stack(path, dim=1)


class Drag(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1), nn.Softplus())

    def forward(self, speed):
        return self.net(speed / 10)


start = torch.randn(200, 2) * 6
released = torch.rand(200, 1) < 0.1
start = torch.where(released, torch.zeros(200, 2), start)
with torch.no_grad():
    observed = simulate(start, lambda s: 0.2 + 0.1 * s, 12)

drag = Drag()
optimizer = torch.optim.Adam(drag.parameters(), lr=5e-3)
gain = nn.Parameter(torch.tensor(0.7))  # the launcher is not calibrated
optimizer.add_param_group({"params": [gain]})

for step in range(220):
    grains = torch.randperm(200)[:40]
    path = simulate(gain * start[grains], drag, 12)
    loss = (path - observed[grains]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 44 == 43:
        print(f"step {step + 1}: loss {loss.item():.5f} gain {gain.item():.3f}")
