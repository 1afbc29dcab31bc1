"""Weight norm and spectral norm as parametrisations, a critic that estimates a distance: about 1.5 (true 1.5)."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

torch.manual_seed(10)
SHIFT = 1.5


class Critic(nn.Module):
    """Lipschitz by construction: scaled spectral norms, ReLU pairs that keep their slope."""

    def __init__(self, width=32):
        super().__init__()
        self.inner = spectral_norm(nn.Linear(2, width))
        self.outer = spectral_norm(nn.Linear(width, 1))

    def forward(self, x):
        return self.outer(self.inner(x).abs()).squeeze(1)


class Transport(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first = weight_norm(nn.Linear(2, width))
        self.last = weight_norm(nn.Linear(width, 2))

    def forward(self, x):
        return x + self.last(torch.tanh(self.first(x)))


def clouds(n):
    left = 0.3 * torch.randn(n, 2)
    right = 0.3 * torch.randn(n, 2) + torch.tensor([SHIFT, 0.0])
    return left, right


critic = Critic()
optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
for step in range(400):
    left, right = clouds(128)
    distance = critic(right).mean() - critic(left).mean()
    optimizer.zero_grad()
    (-distance).backward()
    optimizer.step()
    if step % 100 == 99:
        print(f"critic {step + 1}: distance {distance.item():.3f}")

mover = Transport()
optimizer = torch.optim.Adam(mover.parameters(), lr=5e-3)
for step in range(300):
    left, _ = clouds(128)
    loss = (mover(left) - left - torch.tensor([SHIFT, 0.0])).square().sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

critic.eval()
with torch.no_grad():
    left, right = clouds(4000)
    print(f"estimated distance {(critic(right).mean() - critic(left).mean()).item():.3f}")
    print(f"moved to {mover(left).mean(dim=0)[0].item():.3f}")
