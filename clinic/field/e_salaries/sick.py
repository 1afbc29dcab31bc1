"""Yearly salary (dollars) from years of work, schooling, hours, size of the firm and city."""
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 31
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

n = 1200
years = rng.uniform(0, 35, n)
schooling = rng.integers(9, 20, n)
hours = rng.normal(38, 6, n).clip(15, 60)
firm = rng.lognormal(4, 1.2, n)
city = rng.integers(0, 2, n)
salary = (21000 + 2100 * (schooling - 9) + 9500 * np.sqrt(years) * (1 + 0.3 * city)
          + 450 * (hours - 38) + 2500 * np.log(firm) + rng.normal(0, 3000, n))

features = np.stack([years, schooling, hours, np.log(firm), city], axis=1)
features = (features - features[:900].mean(0)) / features[:900].std(0)
x = torch.tensor(features, dtype=torch.float32)
y = torch.tensor(salary, dtype=torch.float32).unsqueeze(1)

train_set = TensorDataset(x[:900], y[:900])
test_x, test_y = x[900:], y[900:]
loader = DataLoader(train_set, batch_size=30, shuffle=True)


class SalaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.body(x))


model = SalaryNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()

for epoch in range(40):
    model.train()
    total = 0.0
    for xb, yb in loader:
        loss = criterion(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1}: train loss {total / len(train_set):.5g}")

model.eval()
with torch.no_grad():
    predicted = model(test_x)
    error = (predicted - test_y).abs().mean().item()
print(f"test error in dollars {error:.0f}")
