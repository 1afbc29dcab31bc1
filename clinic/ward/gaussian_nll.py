"""Heteroscedastic regression with Gaussian NLL: test NLL about -2.0, the best possible."""

import torch
from torch import nn, optim

torch.manual_seed(9)


def make(n):
    x = torch.rand(n, 1) * 2 - 1
    sigma = 0.03 + 0.12 * (x + 1) / 2
    return x, torch.sin(4 * x) + sigma * torch.randn(n, 1), sigma


class MeanAndVariance(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.mean = nn.Linear(32, 1)
        self.log_variance = nn.Linear(32, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), self.log_variance(h).exp()


x_train, y_train, _ = make(2500)
x_test, y_test, sigma_test = make(1000)
model = MeanAndVariance()
nll = nn.GaussianNLLLoss(eps=1e-5)
optimizer = optim.Adam(model.parameters(), lr=3e-3)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000, eta_min=1e-4)

for step in range(1000):
    rows = torch.randint(len(x_train), (100,))
    mean, variance = model(x_train[rows])
    loss = nll(mean, y_train[rows], variance)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 200 == 0:
        print(f"step {step}: NLL {loss.item():+.4f}")

model.eval()
with torch.no_grad():
    mean, variance = model(x_test)
    value = nll(mean, y_test, variance).item()
    best = (sigma_test.log() + 0.5).mean().item()
    inside = ((y_test - mean).abs() < 1.96 * variance.sqrt()).float().mean().item()
constant = y_train.std().log().item() + 0.5
print(f"constant guess {constant:+.3f}, ideal {best:+.3f}")
print(f"test NLL {value:+.4f}, coverage of the 95% interval {inside:.3f}")
