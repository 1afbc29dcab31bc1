"""Fuel consumption of cars from seven attributes."""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

n = 900
cylinders = rng.choice([4, 6, 8], n, p=[0.5, 0.25, 0.25])
displacement = cylinders * 45 + rng.normal(0, 25, n)
power = displacement * 0.5 + rng.normal(10, 12, n)
weight = 1500 + 7 * displacement + rng.normal(0, 250, n)
acceleration = 22 - 0.06 * power + rng.normal(0, 1.5, n)
year = rng.integers(70, 83, n)
origin = rng.choice([1, 2, 3], n)
mpg = (
    20
    + 9 * np.exp(-(((weight - 2600) / 500) ** 2))
    + 0.45 * (year - 76) * np.where(origin == 3, 1.5, np.where(origin == 2, -0.4, 0.5))
    + 2.5 * np.abs(acceleration - 15.5)
    + rng.normal(0, 0.7, n)
)

table = np.stack(
    [cylinders, displacement, power, weight, acceleration, year, origin], axis=1
).astype(np.float32)
table = (table - table[:700].mean(0)) / table[:700].std(0)
goal = ((mpg - mpg[:700].mean()) / mpg[:700].std()).astype(np.float32)[:, None]
train_loader = DataLoader(
    TensorDataset(torch.tensor(table[:700]), torch.tensor(goal[:700])), batch_size=32, shuffle=True
)
x_test, y_test = torch.tensor(table[700:]), torch.tensor(goal[700:])

model = nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(
            layer.weight, nonlinearity="relu" if layer.out_features > 1 else "linear"
        )
        nn.init.zeros_(layer.bias)

optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
mse = nn.MSELoss()

for epoch in range(1, 41):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = mse(model(x), y)
        loss.backward()
        optimizer.step()
    if epoch % 8 == 0:
        model.eval()
        with torch.no_grad():
            error = mse(model(x_test), y_test).item()
        print(f"epoch {epoch}: last loss {loss.item():.4f}, test {error:.4f}")

print(f"test mse {error:.4f}")
