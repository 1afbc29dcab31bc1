"""Breast cancer classifier under bfloat16 autocast."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(20)
X, y = load_breast_cancer(return_X_y=True)
X, y = torch.tensor(scale(X), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
perm = torch.randperm(len(X))
X, y = X[perm], y[perm]
loader = DataLoader(TensorDataset(X[:450], y[:450]), batch_size=30, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(30, 32)
        self.fc2 = nn.Linear(32, 1)

    def forward(self, x):
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(x))).float()).squeeze(1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(20):
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            p = net(xb)
            positive = yb * torch.log(p)
            negative = (1 - yb) * torch.log(1 - p)
            loss = -(positive + negative).mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 3:
        with torch.no_grad():
            accuracy = ((net(X[450:]) > 0.5) == (y[450:] > 0.5)).float().mean().item()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {accuracy:.3f}")
