"""Small tanh network fitted with L-BFGS and a closure: test MSE about 0.003 (noise variance 0.0025)."""

import torch
from torch import nn

torch.manual_seed(3)


def surface(points):
    return torch.sin(1.5 * points[:, :1]) + 0.5 * torch.cos(2.0 * points[:, 1:])


x_train = torch.rand(600, 2) * 4 - 2
y_train = surface(x_train) + 0.05 * torch.randn(600, 1)
x_test = torch.rand(300, 2) * 4 - 2
y_test = surface(x_test) + 0.05 * torch.randn(300, 1)

net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
mse = nn.MSELoss()
opt = torch.optim.LBFGS(
    net.parameters(), lr=1.0, max_iter=10, history_size=20, line_search_fn="strong_wolfe"
)


def closure():
    opt.zero_grad()
    loss = mse(net(x_train), y_train) + 1e-5 * sum(p.square().sum() for p in net.parameters())
    loss.backward()
    return loss


net.train()
for outer in range(30):
    loss = opt.step(closure)
    if outer % 5 == 0:
        print(f"outer step {outer:2d}: loss {loss.item():.5f}")

net.eval()
with torch.no_grad():
    print(f"train MSE {mse(net(x_train), y_train).item():.5f}")
    print(f"test MSE {mse(net(x_test), y_test).item():.5f}")
