"""Denoise small pictures; the loss is computed on gamma-corrected intensities."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(1)
clean = torch.tensor(load_digits().images / 16.0, dtype=torch.float32).unsqueeze(1)
clean = clean * 0.9 + 0.1
noisy = (clean + 0.15 * torch.randn_like(clean)).clamp(0.01, 1)


class Denoiser(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x):
        h = F.relu(self.conv1(x))
        h = F.relu(self.conv2(h))
        return x + 0.3 * self.conv3(h)


def to_display(linear):
    return linear ** (1 / 2.2)


model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(200):
    i = torch.randint(0, 1500, (32,))
    restored = model(noisy[i])
    loss = F.l1_loss(to_display(restored), to_display(clean[i]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        with torch.no_grad():
            mse = F.mse_loss(model(noisy[1500:]), clean[1500:])
        print(f"step {step + 1} loss {loss.item():.4f} held-out mse {mse.item():.5f}")
