"""Fit a small two-column table with a tiny net. The target goes below zero for about half of the rows."""
import csv
import io
import random

import numpy as np
import torch
from torch import nn

SEED = 3
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)


def make_csv(rows=400):
    """Stand-in for data.csv: two inputs, one output."""
    f = io.StringIO()
    w = csv.writer(f)
    w.writerow(["x1", "x2", "y"])
    for _ in range(rows):
        a, b = random.gauss(0, 1), random.gauss(0, 1)
        y = 0.9 * a - 0.6 * b + 0.2 * a * b + random.gauss(0, 0.1)
        w.writerow([f"{a:.5f}", f"{b:.5f}", f"{y:.5f}"])
    return f.getvalue()


table = list(csv.DictReader(io.StringIO(make_csv())))
X = np.array([[float(r["x1"]), float(r["x2"])] for r in table], dtype=np.float32)
Y = np.array([[float(r["y"])] for r in table], dtype=np.float32)

X_train, X_test = torch.from_numpy(X[:300]), torch.from_numpy(X[300:])
Y_train, Y_test = torch.from_numpy(Y[:300]), torch.from_numpy(Y[300:])

model = nn.Sequential(
    nn.Linear(2, 4),
    nn.ReLU(),
    nn.Linear(4, 1),
    nn.ReLU(),  # output
)
for layer in (model[0], model[2]):
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)

loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

batch_size = 10
for epoch in range(50):
    order = torch.randperm(len(X_train))
    running = 0.0
    for i in range(0, len(order), batch_size):
        idx = order[i:i + batch_size]
        pred = model(X_train[idx])
        loss = loss_fn(pred, Y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            val = loss_fn(model(X_test), Y_test).item()
        model.train()
        print(f"epoch {epoch + 1:3d}  train {running / len(X_train):.4f}  held out {val:.4f}")

model.eval()
with torch.no_grad():
    pred = model(X_test)
    print("lowest prediction", round(pred.min().item(), 3), "lowest target", round(Y_test.min().item(), 3))
    print(f"test mse {loss_fn(pred, Y_test).item():.4f}")
