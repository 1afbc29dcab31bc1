"""Predictions with error bars: functional dropout always on by design, 30 copies of each input in one batch: test RMSE about 0.07."""

import torch
import torch.nn.functional as F


def net(weights, x, rate=0.05):
    """Dropout at every pass, as Monte Carlo dropout asks."""
    for w, b in weights[:-1]:
        x = F.dropout(torch.tanh(F.linear(x, w, b)), rate, training=True)
    return F.linear(x, *weights[-1])


def layer(inputs, outputs):
    bound = inputs**-0.5
    w = torch.empty(outputs, inputs).uniform_(-bound, bound)
    return w.requires_grad_(), torch.zeros(outputs, requires_grad=True)


torch.manual_seed(19)
x = torch.rand(1200, 2) * 2 - 1
y = (torch.sin(3 * x[:, :1]) * x[:, 1:]) + 0.05 * torch.randn(1200, 1)
weights = [layer(2, 64), layer(64, 64), layer(64, 1)]
optimizer = torch.optim.Adam([p for pair in weights for p in pair], lr=4e-3)
for step in range(600):
    rows = torch.randint(1000, (64,))
    loss = F.mse_loss(net(weights, x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 150 == 149:
        print(f"step {step + 1}: loss {loss.item():.4f}")
        optimizer.param_groups[0]["lr"] *= 0.4

with torch.no_grad():
    draws = net(weights, x[1000:].repeat(30, 1)).view(30, 200, 1)
mean, bar = draws.mean(0), draws.std(0)
covered = ((mean - y[1000:]).abs() < 2 * (bar.square() + 0.05**2).sqrt()).float().mean()
print(
    f"test RMSE {(mean - y[1000:]).square().mean().sqrt().item():.4f}, covered {covered.item():.3f}"
)
