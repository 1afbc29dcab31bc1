"""Friedman's function of five out of 25 measurements, by one hidden layer."""

import torch
from sklearn.datasets import make_friedman1
from torch import nn

EXAMPLES = 80
STEPS = 400

torch.manual_seed(4)
values, results = make_friedman1(n_samples=1500, n_features=25, noise=0.3, random_state=4)
x = torch.tensor(values[:EXAMPLES], dtype=torch.float32)
y = torch.tensor(results[:EXAMPLES], dtype=torch.float32).unsqueeze(1)
x = (x - x.mean(dim=0)) / x.std(dim=0)
y = (y - y.mean()) / y.std()

model = nn.Sequential(nn.Linear(25, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.MSELoss()

for step in range(STEPS):
    rows = torch.randint(len(x), (40,))
    optimizer.zero_grad()
    loss = criterion(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        print(f"step {step + 1}: {loss.item():.3f}")
