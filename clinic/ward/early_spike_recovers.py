"""Momentum makes an early spike of the loss that soon recovers: test MSE about 0.02 (target variance 1)."""

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from torch import nn

rng = np.random.default_rng(3)
torch.manual_seed(3)
features, target = make_friedman1(n_samples=2400, n_features=8, noise=0.5, random_state=3)
features = (features - 0.5) / np.sqrt(1 / 12)
target = (target - target.mean()) / target.std()
x, y = torch.tensor(features).float(), torch.tensor(target).float().unsqueeze(1)
x_train, y_train, x_test, y_test = x[:2000], y[:2000], x[2000:], y[2000:]

net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
for layer in net:
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
nn.init.normal_(net[-1].weight, std=0.05)
mse = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.06, momentum=0.9, nesterov=False)
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [12, 300, 600], gamma=0.3)
history = []
for step in range(900):
    rows = rng.integers(0, len(x_train), 64)
    loss = mse(net(x_train[rows]), y_train[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    history.append(loss.item())
    if step % 150 == 149:
        net.eval()
        with torch.no_grad():
            print(f"{step + 1}: test {mse(net(x_test), y_test).item():.4f}")
        net.train()

print(
    f"first losses {history[0]:.2f}, highest {max(history):.2f}, last {np.mean(history[-50:]):.4f}"
)
with torch.no_grad():
    print(f"test MSE {mse(net(x_test), y_test).item():.4f}")
