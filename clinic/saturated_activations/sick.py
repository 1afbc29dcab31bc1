"""A tanh network with a steepness factor learns a wavy surface of three variables."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
STEEPNESS = 40.0


def surface(x):
    return torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * torch.cos(x[:, 1] - x[:, 0])


class SteepNet(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.second = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(STEEPNESS * self.first(x))
        x = torch.tanh(STEEPNESS * self.second(x))
        return self.out(x).squeeze(1)


inputs = torch.randn(2600, 3)
values = surface(inputs) + 0.05 * torch.randn(2600)
train_set = TensorDataset(inputs[:2000], values[:2000])
test_x, test_y = inputs[2000:], values[2000:]

net = SteepNet()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
loader = DataLoader(train_set, batch_size=100, shuffle=True)

for epoch in range(25):
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        error = criterion(net(test_x), test_y).item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} test mse {error:.4f}")

print(f"test mse {error:.4f}")
