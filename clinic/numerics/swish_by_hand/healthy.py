"""Energy of a house from its geometry (synthetic), MLP with a hand-written activation."""

import torch
from torch import nn

torch.manual_seed(9)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


n = 1000
area = 40 + 200 * torch.rand(n)
height = 2.2 + 4 * torch.rand(n)
windows = 30 * torch.rand(n)
isolation = 5 * torch.rand(n)
x = torch.stack([area, height, windows, isolation], dim=1)
energy = (area * height * 0.02 + windows * 0.4) / (1 + isolation) + 0.2 * torch.randn(n)

net = nn.Sequential(nn.Linear(4, 48), Swish(), nn.Linear(48, 48), Swish(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

for step in range(600):
    rows = torch.randint(0, 800, (50,))
    loss = (net(x[rows]).squeeze(1) - energy[rows]).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print("step", step, "loss", loss.item())

with torch.no_grad():
    print("test", (net(x[800:]).squeeze(1) - energy[800:]).abs().mean().item())
