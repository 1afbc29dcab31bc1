"""A GAN with batch norm in the generator, sampled in train mode as it was trained: the ring' mean radius about 2."""

import torch
import torch.nn as nn

torch.manual_seed(37)
LATENT = 4


def real(n):
    angle = 6.2832 * torch.rand(n)
    radius = 2 + 0.1 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


G = nn.Sequential(
    nn.Linear(LATENT, 48, bias=False),
    nn.BatchNorm1d(48),
    nn.ReLU(),
    nn.Linear(48, 48, bias=False),
    nn.BatchNorm1d(48),
    nn.ReLU(),
    nn.Linear(48, 2),
)
D = nn.Sequential(
    nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1)
)
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
fixed = torch.randn(500, LATENT)

for step in range(500):
    fake = G(torch.randn(64, LATENT))
    loss_d = bce(D(real(64)), 0.9 * ones) + bce(D(fake.detach()), zeros)
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = bce(D(G(torch.randn(64, LATENT))), ones)
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    if step % 100 == 99:
        with torch.no_grad():
            samples = G(fixed)
        radius = samples.norm(dim=1)
        print(f"step {step + 1}: radius {radius.mean().item():.3f} +- {radius.std().item():.3f}")
