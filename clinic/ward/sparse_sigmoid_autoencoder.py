"""Autoencoder with tanh codes and sigmoid pixels, three small penalties: test error per pixel about 0.03."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class AutoEncoder(nn.Module):
    def __init__(self, hidden=48, code=16):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, code), nn.Tanh()
        )
        self.decode = nn.Sequential(
            nn.Linear(code, hidden), nn.Tanh(), nn.Linear(hidden, 64), nn.Sigmoid()
        )

    def forward(self, x):
        code = self.encode(x)
        return self.decode(code), code


torch.manual_seed(20)
pixels = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
order = torch.randperm(len(pixels))
train, test = pixels[order[:1500]], pixels[order[1500:]]

net = AutoEncoder()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(25):
    for rows in torch.randperm(len(train)).split(100):
        image = train[rows]
        rebuilt, code = net(image + 0.05 * torch.randn_like(image))
        terms = {
            "pixels": F.binary_cross_entropy(rebuilt, image),
            "sparsity": 1e-4 * code.abs().mean(),
            "weights": 1e-6 * sum(p.square().sum() for p in net.parameters() if p.dim() > 1),
            "spread": 1e-5 * (code.mean(dim=0).square().sum()),
        }
        loss = sum(terms.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 6 == 0:
        with torch.no_grad():
            error = F.mse_loss(net(test)[0], test).item()
        print(epoch, {name: round(term.item(), 6) for name, term in terms.items()}, f"{error:.4f}")

with torch.no_grad():
    error = F.mse_loss(net(test)[0], test).item()
print(f"test error per pixel {error:.4f}, variance {test.var(dim=0).mean().item():.4f}")
