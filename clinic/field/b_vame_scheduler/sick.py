"""Recurrent variational autoencoder for animal motion: reconstruct short pose windows."""

import numpy as np
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

SEED = 9
torch.manual_seed(SEED)
np.random.seed(SEED)

cfg = {
    "time_window": 16,
    "num_features": 6,
    "zdims": 8,
    "hidden": 32,
    "batch_size": 32,
    "max_epochs": 16,
    "learning_rate": 2e-3,
    "beta": 0.002,
    "scheduler": False,
    "scheduler_step_size": 4,
    "scheduler_gamma": 0.2,
}


def poses(n):
    t = np.arange(cfg["time_window"])
    speed = np.random.uniform(0.2, 0.6, (n, 1, 1))
    phase = np.random.uniform(0, 2 * np.pi, (n, 1, 1))
    size = np.random.uniform(0.7, 1.9, (n, 1, 1))
    lag = np.arange(cfg["num_features"])[None, None, :] * 0.6
    x = size * np.sin(speed * t[None, :, None] + phase + lag)
    return torch.tensor(x + 0.05 * np.random.randn(*x.shape), dtype=torch.float32)


train_set, test_x = poses(640), poses(200)
loader = DataLoader(TensorDataset(train_set), batch_size=cfg["batch_size"], shuffle=True)


class RNN_VAE(nn.Module):
    def __init__(self, features, hidden, zdims):
        super().__init__()
        self.encoder = nn.GRU(features, hidden, batch_first=True)
        self.mu = nn.Linear(hidden, zdims)
        self.logvar = nn.Linear(hidden, zdims)
        self.latent_to_hidden = nn.Linear(zdims, hidden)
        self.decoder = nn.GRU(zdims, hidden, batch_first=True)
        self.out = nn.Linear(hidden, features)

    def forward(self, x):
        _, h = self.encoder(x)
        mu, logvar = self.mu(h[0]), self.logvar(h[0])
        z = mu
        if self.training:
            z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        steps = z.unsqueeze(1).expand(-1, x.size(1), -1)
        d, _ = self.decoder(steps, torch.tanh(self.latent_to_hidden(z)).unsqueeze(0))
        return self.out(d), mu, logvar


model = RNN_VAE(cfg["num_features"], cfg["hidden"], cfg["zdims"])
optimizer = optim.Adam(model.parameters(), lr=cfg["learning_rate"])

if cfg["scheduler"]:
    gamma = cfg["scheduler_gamma"]
else:
    gamma = 0
scheduler = StepLR(optimizer, step_size=cfg["scheduler_step_size"], gamma=gamma)

for epoch in range(1, cfg["max_epochs"] + 1):
    model.train()
    total = 0.0
    for (x,) in loader:
        optimizer.zero_grad()
        recon, mu, logvar = model(x)
        mse = nn.functional.mse_loss(recon, x)
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).mean()
        loss = mse + cfg["beta"] * kl
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        test_mse = nn.functional.mse_loss(model(test_x)[0], test_x).item()
    print("Epoch %d  train %.4f  test mse %.4f" % (epoch, total / len(loader), test_mse))

print("test mse %.4f" % test_mse)
