"""Bicycle hires per hour: Poisson regression with a small network."""

import torch
from torch import nn

torch.manual_seed(30)
n = 1500
hour = 24 * torch.rand(n)
temperature = 12 + 9 * torch.randn(n)
x = torch.stack([torch.sin(hour / 3.82), torch.cos(hour / 3.82), temperature / 10], dim=1)
rate = torch.exp(2.5 + 0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2])
hires = torch.poisson(rate)

model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.PoissonNLLLoss(log_input=True)
for step in range(300):
    rows = torch.randint(0, 1200, (64,))
    log_rate = model(x[rows]).squeeze(1)
    loss = criterion(log_rate, hires[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        with torch.no_grad():
            test = criterion(model(x[1200:]).squeeze(1), hires[1200:]).item()
        print(f"step {step + 1}: loss {loss.item():.3f} test {test:.3f}")
