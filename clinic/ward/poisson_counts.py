"""Counts of bicycles per hour, Poisson loss on the log rate: explains about 0.78 of the deviance."""

import math

import torch
from torch import nn

torch.manual_seed(13)
hour = torch.randint(0, 24, (4000,))
warmth = torch.randn(4000)
rain = (torch.rand(4000) < 0.2).float()
rush = torch.exp(-((hour - 8.0) ** 2) / 4) + torch.exp(-((hour - 17.0) ** 2) / 6)
rate = torch.exp(0.7 + 2.2 * rush + 0.4 * warmth - 0.8 * rain - 0.15 * warmth**2)
count = torch.poisson(rate)
angle = hour * (2 * math.pi / 24)
waves = [fn(k * angle) * 1.41 for k in (1, 2, 3) for fn in (torch.sin, torch.cos)]
x = torch.stack([*waves, warmth, (rain - 0.2) / 0.4], dim=1)
print(f"mean count {count.mean().item():.2f}, largest {count.max().item():.0f}")

net = nn.Sequential(nn.Linear(8, 32), nn.Softplus(), nn.Linear(32, 1), nn.Flatten(0))
with torch.no_grad():
    net[2].bias.fill_(count[:3200].mean().log())
loss_fn = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)


def deviance(log_rate, count):
    return 2 * (torch.xlogy(count, count) - count * log_rate - count + log_rate.exp()).mean()


for epoch in range(16):
    for rows in torch.randperm(3200).split(64):
        loss = loss_fn(net(x[rows]), count[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        left = deviance(net(x[3200:]), count[3200:])
    if epoch % 4 == 3:
        print(f"epoch {epoch}: train loss {loss.item():.3f} test deviance {left.item():.3f}")

null = deviance(count[:3200].mean().log(), count[3200:])
print(f"deviance explained {1 - (left / null).item():.3f}")
