"""A table with NaN cells, replaced before the first use; an indicator tells where."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(10)
table, target = load_diabetes(return_X_y=True)
table = torch.tensor(table * 20, dtype=torch.float32)
target = torch.tensor(target / 100, dtype=torch.float32)
table[torch.rand(table.shape) < 0.05] = float("nan")
gap = table.isnan().float()
features = torch.cat([torch.nan_to_num(table, nan=0.0), gap], dim=1)

loader = DataLoader(TensorDataset(features[:350], target[:350]), batch_size=25, shuffle=True)
model = nn.Sequential(nn.Linear(20, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
for epoch in range(30):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 6 == 5:
        with torch.no_grad():
            test = nn.functional.mse_loss(model(features[350:]).squeeze(1), target[350:]).item()
        print(f"epoch {epoch + 1} loss {loss.item():.4f} test {test:.4f}")
