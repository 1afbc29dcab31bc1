"""Wide-activation super-resolution (x2) with weight normalisation, L1 loss."""
import math

import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm

SEED = 8
torch.manual_seed(SEED)


def wn(layer):
    return weight_norm(layer)


class Block(nn.Module):
    def __init__(self, n_feats, expand):
        super().__init__()
        self.body = nn.Sequential(
            wn(nn.Conv2d(n_feats, n_feats * expand, 3, padding=1)),
            nn.ReLU(True),
            wn(nn.Conv2d(n_feats * expand, n_feats, 3, padding=1)),
        )

    def forward(self, x):
        return x + self.body(x)


class WDSR(nn.Module):
    def __init__(self, n_feats=8, n_blocks=3, expand=3):
        super().__init__()
        self.head = wn(nn.Conv2d(1, n_feats, 3, padding=1))
        self.body = nn.Sequential(*[Block(n_feats, expand) for _ in range(n_blocks)])
        self.tail = nn.Sequential(wn(nn.Conv2d(n_feats, 4, 3, padding=1)), nn.PixelShuffle(2))
        self.skip = nn.Sequential(wn(nn.Conv2d(1, 4, 5, padding=2)), nn.PixelShuffle(2))

    def forward(self, x):
        return self.tail(self.body(self.head(x))) + self.skip(x)


def textures(n, size=16):
    """Sums of a few plane waves and an edge."""
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    img = torch.zeros(n, size, size)
    for _ in range(3):
        k = torch.rand(n, 2, 1, 1) * 1.1
        p = torch.rand(n, 1, 1) * 2 * math.pi
        img += torch.cos(k[:, 0] * xx + k[:, 1] * yy + p)
    angle = torch.rand(n, 1, 1) * 2 * math.pi
    img += 1.5 * torch.sign(torch.cos(angle) * (xx - 8) + torch.sin(angle) * (yy - 8))
    return (img / 2.0).unsqueeze(1)


hr_train, hr_test = textures(512), textures(128)
lr_train = nn.functional.avg_pool2d(hr_train, 2)
lr_test = nn.functional.avg_pool2d(hr_test, 2)

model = WDSR()
l1 = nn.L1Loss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

step = 0
for epoch in range(10):
    for idx in torch.randperm(512).view(-1, 16):
        sr = model(lr_train[idx])
        loss = l1(sr, hr_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    with torch.no_grad():
        val = l1(model(lr_test), hr_test).item()
    print(f"step {step} train L1 {loss.item():.4f} val L1 {val:.4f}")

print(f"test l1 {val:.4f}")
