"""Melbourne house prices: rooms, land and place in; price in dollars out."""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

n = 1200
rooms = rng.integers(1, 7, n)
baths = np.clip(rooms // 2 + rng.integers(0, 2, n), 1, 4)
land = rng.gamma(4.0, 130.0, n)
area = 45 * rooms + rng.normal(30, 20, n)
built = rng.integers(1900, 2018, n)
latitude = rng.normal(-37.8, 0.08, n)
longitude = rng.normal(145.0, 0.1, n)
distance = np.hypot((latitude + 37.8) / 0.08, (longitude - 145.0) / 0.1)
price = 1e5 * (
    2.5
    + 1.6 * rooms
    + 0.7 * baths
    + 0.006 * land
    + 6.0 * np.exp(-distance)
    + 0.015 * (2018 - built)
)
price *= rng.lognormal(0, 0.08, n)

X = np.stack([rooms, baths, land, area, built, latitude, longitude], axis=1)
y = price[:, None]
X_train, X_test, y_train, y_test = X[:900], X[900:], y[:900], y[900:]
train_loader = DataLoader(
    TensorDataset(
        torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train, dtype=torch.float32)
    ),
    batch_size=32,
    shuffle=True,
)
x_held = torch.tensor(X_test, dtype=torch.float32)

model = nn.Sequential(nn.Linear(7, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
for module in model:
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)

optimizer = optim.Adam(model.parameters(), lr=0.003)
loss_fn = nn.MSELoss()


def mean_absolute_error():
    model.eval()
    with torch.no_grad():
        predicted = model(x_held).numpy()
    return float(np.abs(predicted - y_test).mean())


for epoch in range(1, 41):
    model.train()
    epoch_loss = 0.0
    for inputs, prices in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), prices)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(inputs)
    if epoch % 10 == 0:
        print(
            f"epoch {epoch}: loss {epoch_loss / len(X_train):.5g}, mae {mean_absolute_error():.0f} dollars"
        )

print(f"test mae {mean_absolute_error():.0f}")
