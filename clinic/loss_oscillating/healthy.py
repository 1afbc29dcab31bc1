"""The first of Friedman's functions, learnt by a small net from all examples in every step."""

import torch
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(5)
x, y = make_friedman1(n_samples=1500, noise=1.0, random_state=5)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, random_state=5)
mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
x_train, x_test = (torch.tensor((part - mean) / spread).float() for part in (x_train, x_test))
mean, spread = y_train.mean(), y_train.std()
y_train, y_test = (torch.tensor((part - mean) / spread).float() for part in (y_train, y_test))

net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
loss_fn = nn.L1Loss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.04, momentum=0.9)

for step in range(1, 301):
    loss = loss_fn(net(x_train).squeeze(1), y_train)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        with torch.no_grad():
            test_loss = loss_fn(net(x_test).squeeze(1), y_test).item()
        print(f"step {step}: loss {loss.item():.3f}, test loss {test_loss:.3f}")

print(f"mean absolute test error {test_loss:.3f}")
