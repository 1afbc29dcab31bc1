"""Fit y = sin(x) with a small network."""

import numpy as np
import torch
from torch import nn

SEED = 3
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

x = rng.uniform(0.0, 4 * np.pi, size=(800, 1)).astype(np.float32)
y = np.sin(x)
x_train, x_test = torch.from_numpy(x[:640]), torch.from_numpy(x[640:])
y_train, y_test = torch.from_numpy(y[:640]), torch.from_numpy(y[640:])

layers = [nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 90), nn.Tanh(), nn.Linear(90, 10), nn.ReLU()]
for _ in range(8):
    layers += [nn.Linear(10, 10), nn.ReLU()]
layers.append(nn.Linear(10, 1))
model = nn.Sequential(*layers)

optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.MSELoss()

for epoch in range(50):
    model.train()
    order = torch.randperm(len(x_train))
    total = 0.0
    for batch in order.split(32):
        optimizer.zero_grad()
        loss = criterion(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            held_out = criterion(model(x_test), y_test).item()
        print(f"epoch {epoch + 1}: train {total / len(x_train):.4f} test {held_out:.4f}")

model.eval()
with torch.no_grad():
    print(f"test mse {criterion(model(x_test), y_test).item():.4f}")
