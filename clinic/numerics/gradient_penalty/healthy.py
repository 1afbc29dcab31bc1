"""Wasserstein GAN with gradient penalty for points on a ring."""

import math

import torch
from torch import autograd, nn

torch.manual_seed(1)


def ring(n):
    angle = 2 * math.pi * torch.rand(n)
    radius = 1 + 0.05 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


generator = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 2))
critic = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
g_opt = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
c_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))


def penalty(real, fake):
    mix = torch.rand(len(real), 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    (grad,) = autograd.grad(critic(between).sum(), between, create_graph=True)
    slope = torch.sqrt((grad**2).sum(dim=1) + 1e-12)
    return ((slope - 1) ** 2).mean()


for iteration in range(150):
    for _ in range(3):
        real, fake = ring(64), generator(torch.randn(64, 4)).detach()
        c_loss = critic(fake).mean() - critic(real).mean() + 5 * penalty(real, fake)
        c_opt.zero_grad()
        c_loss.backward()
        c_opt.step()
    g_loss = -critic(generator(torch.randn(64, 4))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    if iteration % 30 == 29:
        radius = generator(torch.randn(500, 4)).norm(dim=1).mean().item()
        print(
            f"{iteration + 1}: critic {c_loss.item():.3f} generator {g_loss.item():.3f} r {radius:.3f}"
        )
