"""GAN with two optimizers on a ring of eight Gaussians: all 8 modes covered, about 0.9 of samples near one."""

import math

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1)
MODES, RADIUS, SPREAD = 8, 1.4, 0.1
angles = torch.arange(MODES) * (2 * math.pi / MODES)
CENTRES = RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1)


def sample_real(n):
    return CENTRES[torch.randint(MODES, (n,))] + SPREAD * torch.randn(n, 2)


class Generator(nn.Module):
    def __init__(self, noise=8, width=48):
        super().__init__()
        self.noise = noise
        self.net = nn.Sequential(
            nn.Linear(noise, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 2),
        )

    def forward(self, n):
        return self.net(torch.randn(n, self.noise))


generator = Generator()
discriminator = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
)
g_opt = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
d_opt = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
ones, zeros = torch.ones(128, 1), torch.zeros(128, 1)

for step in range(1400):
    real, fake = sample_real(128), generator(128).detach()
    d_loss = F.binary_cross_entropy_with_logits(discriminator(real), ones)
    d_loss = d_loss + F.binary_cross_entropy_with_logits(discriminator(fake), zeros)
    d_opt.zero_grad()
    d_loss.backward()
    d_opt.step()

    g_loss = F.binary_cross_entropy_with_logits(discriminator(generator(128)), ones)
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    if step % 250 == 0:
        print(f"step {step:4d}  D {d_loss.item():.3f}  G {g_loss.item():.3f}")

generator.eval()
with torch.no_grad():
    distance, nearest = torch.cdist(generator(2000), CENTRES).min(dim=1)
close = distance < 4 * SPREAD
modes = torch.bincount(nearest[close], minlength=MODES)
print(f"modes covered {(modes > 20).sum().item()}/{MODES}, near a mode {close.float().mean():.3f}")
