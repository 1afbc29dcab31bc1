"""Network solves an oscillator's equation by second derivatives: largest error about 0.02."""

import torch
from torch import nn

DAMPING, FREQUENCY = 0.4, 2.0


def exact(t):
    rate = (FREQUENCY**2 - DAMPING**2) ** 0.5
    return torch.exp(-DAMPING * t) * (torch.cos(rate * t) + DAMPING / rate * torch.sin(rate * t))


class Solution(nn.Module):
    """Fulfils x(0) = 1 and x'(0) = 0 by construction."""

    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, t):
        return 1 + t**2 * self.net(t - 1)


def derivative(y, t):
    return torch.autograd.grad(y.sum(), t, create_graph=True)[0]


def main():
    torch.manual_seed(22)
    model = Solution()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.995)
    for step in range(1, 701):
        t = (2 * torch.rand(64, 1)).requires_grad_()
        x = model(t)
        speed = derivative(x, t)
        acceleration = derivative(speed, t)
        residual = acceleration + 2 * DAMPING * speed + FREQUENCY**2 * x
        loss = residual.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            print(f"step {step}: mean squared residual {loss.item():.5f}")

    t = torch.linspace(0, 2, 200).unsqueeze(1)
    with torch.no_grad():
        error = (model(t) - exact(t)).abs().max().item()
    print(f"largest error {error:.4f}")


if __name__ == "__main__":
    main()
