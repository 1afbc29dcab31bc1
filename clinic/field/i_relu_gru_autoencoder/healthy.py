"""Sequence autoencoder: GRU 8 -> GRU 4 -> repeat -> GRU 4 -> GRU 8 -> linear.

The built-in GRU has tanh hard-wired, so the cell is written out to be able to set the activation.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 1
STEPS, FEATURES = 10, 3

torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)


class GRU(nn.Module):
    def __init__(self, n_in, n_hidden, activation):
        super().__init__()
        self.n_hidden = n_hidden
        self.activation = activation
        self.x2h = nn.Linear(n_in, 3 * n_hidden)
        self.h2h = nn.Linear(n_hidden, 3 * n_hidden, bias=False)
        nn.init.xavier_uniform_(self.x2h.weight)
        nn.init.zeros_(self.x2h.bias)
        nn.init.orthogonal_(self.h2h.weight)

    def forward(self, x):
        gates = self.x2h(x)
        h = x.new_zeros(x.shape[0], self.n_hidden)
        out = []
        for t in range(x.shape[1]):
            xz, xr, xn = gates[:, t].chunk(3, dim=1)
            hz, hr, hn = self.h2h(h).chunk(3, dim=1)
            z = torch.sigmoid(xz + hz)
            r = torch.sigmoid(xr + hr)
            n = self.activation(xn + r * hn)
            h = z * h + (1 - z) * n
            out.append(h)
        return torch.stack(out, dim=1)


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        act = torch.tanh
        self.enc1 = GRU(FEATURES, 8, act)
        self.enc2 = GRU(8, 4, act)
        self.dec1 = GRU(4, 4, act)
        self.dec2 = GRU(4, 8, act)
        self.out = nn.Linear(8, FEATURES)

    def forward(self, x):
        code = self.enc2(self.enc1(x))[:, -1]
        repeated = code.unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.out(self.dec2(self.dec1(repeated)))


def sensor_windows(n):
    """Two coupled sensors and a third one, swinging with random phases and amplitudes."""
    t = np.arange(STEPS)[None, :]
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    amp = rng.uniform(0.6, 1.6, (n, 1))
    a = amp * np.sin(0.6 * t + phase)
    b = amp * np.cos(0.6 * t + phase)
    c = rng.uniform(0.6, 1.6, (n, 1)) * np.sin(0.4 * t + rng.uniform(0, 2 * np.pi, (n, 1)))
    x = np.stack([a, b, c], axis=2) + 0.05 * rng.normal(size=(n, STEPS, FEATURES))
    return torch.tensor(x, dtype=torch.float32)


train, test = sensor_windows(1280), sensor_windows(256)
mean, std = train.mean((0, 1)), train.std((0, 1))
train, test = (train - mean) / std, (test - mean) / std

model = AutoEncoder()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(16):
    total = 0.0
    for idx in torch.randperm(len(train)).split(64):
        batch = train[idx]
        loss = F.mse_loss(model(batch), batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    with torch.no_grad():
        val = F.mse_loss(model(test), test).item()
    print(f"epoch {epoch + 1:2d}  loss {total / len(train):.4f}  val_loss {val:.4f}")

print(f"test mse {val:.4f}")
