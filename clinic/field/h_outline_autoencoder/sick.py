"""
Variational autoencoder that draws: a picture is encoded into a latent vector,
from which a closed outline of control points and then the picture itself
(a soft union of dots along the outline) are decoded.
"""
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SEED = 4

PARAMS = dict(latent_dim=8, points=8, kld_weight=0.002)
EXP = dict(LR=0.2, batch_size=32, max_epochs=6, manual_seed=SEED)


def outlines(n: int, size: int = 12) -> Tensor:
    """White pictures of soft ellipses on black ground."""
    axis = torch.linspace(-1, 1, size)
    yy, xx = torch.meshgrid(axis, axis, indexing="ij")
    centre = torch.rand(n, 2, 1, 1) * 0.6 - 0.3
    radii = 0.3 + 0.35 * torch.rand(n, 2, 1, 1)
    tilt = torch.rand(n, 1, 1) * math.pi
    x, y = xx - centre[:, 0], yy - centre[:, 1]
    u = (x * tilt.cos() + y * tilt.sin()) / radii[:, 0]
    v = (y * tilt.cos() - x * tilt.sin()) / radii[:, 1]
    r = (u ** 2 + v ** 2 + 1e-6).sqrt()
    return torch.exp(-((r - 1) / 0.25) ** 2).unsqueeze(1)


class VectorVAE(nn.Module):
    def __init__(self, latent_dim: int, points: int, kld_weight: float, size: int = 12):
        super().__init__()
        self.kld_weight = kld_weight
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.LeakyReLU(),
            nn.Conv2d(16, 32, 3, 2, 1), nn.LeakyReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.LeakyReLU(),
            nn.Flatten(),
        )
        self.fc_mu = nn.Linear(32 * 4, latent_dim)
        self.fc_var = nn.Linear(32 * 4, latent_dim)
        self.point_predictor = nn.Sequential(
            nn.Linear(latent_dim, 64), nn.LeakyReLU(),
            nn.Linear(64, 64), nn.LeakyReLU(),
            nn.Linear(64, points * 2),
        )
        angle = torch.arange(points) * (2 * math.pi / points)
        self.register_buffer("circle", torch.stack([angle.cos(), angle.sin()], -1) * 0.5)
        axis = torch.linspace(-1, 1, size)
        yy, xx = torch.meshgrid(axis, axis, indexing="ij")
        self.register_buffer("grid", torch.stack([xx, yy], -1).view(1, size * size, 1, 2))
        self.size = size

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)

    def decode(self, z: Tensor) -> Tensor:
        control = self.circle + self.point_predictor(z).view(len(z), -1, 2)
        following = control.roll(-1, dims=1)
        # three dots on each side of the polygon
        dots = torch.cat([control + (following - control) * k / 3 for k in range(3)], 1)
        distance = ((self.grid - dots.unsqueeze(1)) ** 2).sum(-1)
        ink = torch.exp(-distance / 0.02)
        picture = 1 - torch.exp(-ink.sum(-1))
        return picture.view(-1, 1, self.size, self.size)

    def forward(self, x: Tensor):
        hidden = self.encoder((x - 0.25) / 0.35)
        mu, logvar = self.fc_mu(hidden), self.fc_var(hidden)
        z = self.reparameterize(mu, logvar) if self.training else mu
        return self.decode(z), mu, logvar

    def loss_function(self, recons, x, mu, logvar):
        recons_loss = F.mse_loss(recons, x)
        kld = torch.mean(-0.5 * torch.sum(1 + logvar - mu ** 2 - logvar.exp(), dim=1))
        return recons_loss + self.kld_weight * kld


def fit(model: VectorVAE, train: Tensor, test: Tensor) -> float:
    optimizer = torch.optim.Adam(model.parameters(), lr=EXP["LR"])
    for epoch in range(EXP["max_epochs"]):
        model.train()
        running = 0.0
        for batch in train[torch.randperm(len(train))].split(EXP["batch_size"]):
            recons, mu, logvar = model(batch)
            loss = model.loss_function(recons, batch, mu, logvar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            val = F.mse_loss(model(test)[0], test).item()
        print(f"epoch {epoch}: loss {running / len(train):.5f}, val reconstruction {val:.5f}")
    return val


if __name__ == "__main__":
    torch.manual_seed(EXP["manual_seed"])
    pictures = outlines(896)
    score = fit(VectorVAE(**PARAMS), pictures[:640], pictures[640:])
    print(f"test mse {score:.5f}")
