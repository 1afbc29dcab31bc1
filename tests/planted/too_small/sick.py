"""Shells of a cloud of points, told apart by a hidden layer."""

import torch
from sklearn.datasets import make_gaussian_quantiles
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

UNITS = 2

torch.manual_seed(1)
points, shells = make_gaussian_quantiles(n_samples=1200, n_features=3, n_classes=3, random_state=1)
dataset = TensorDataset(torch.tensor(points, dtype=torch.float32), torch.tensor(shells))
loader = DataLoader(dataset, batch_size=60, shuffle=True)

model = nn.Sequential(nn.Linear(3, UNITS), nn.ReLU(), nn.Linear(UNITS, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
criterion = nn.CrossEntropyLoss()

for epoch in range(30):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
