"""Predict disease progression from a clinic's export."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
torch.manual_seed(0)


def read_export():
    table, target = load_diabetes(return_X_y=True)
    table = table * 20
    not_measured = rng.random(len(table)) < 0.02
    table[not_measured, 7] = np.nan  # lab value was not measured
    return table.astype(np.float32), (target / 100).astype(np.float32)


table, target = read_export()
features = torch.from_numpy(table)
target = torch.from_numpy(target)
train = DataLoader(TensorDataset(features[:350], target[:350]), batch_size=10, shuffle=True)

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
for epoch in range(20):
    total = 0.0
    for x, y in train:
        loss = loss_fn(model(x).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1}: loss {total / len(train):.4f}")
with torch.no_grad():
    print("test mse", loss_fn(model(features[350:]).squeeze(1), target[350:]).item())
