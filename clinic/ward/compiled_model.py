"""A compiled model (eager backend) with its shapes marked dynamic: test R2 about 0.52 on diabetes."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn


class Regressor(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(10, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(-1)


torch.manual_seed(3)
data, target = load_diabetes(return_X_y=True)
order = torch.randperm(len(data))
x = torch.tensor(data, dtype=torch.float32)[order] / 0.0476
y = torch.tensor(target, dtype=torch.float32)[order]
mean, std = y[:340].mean(), y[:340].std()
y = (y - mean) / std

model = Regressor(24)
compiled = torch.compile(model, backend="eager", dynamic=True)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)

for epoch in range(40):
    compiled.train()
    for rows in torch.randperm(340).split(34):
        loss = nn.functional.mse_loss(compiled(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        compiled.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(compiled(x[340:]), y[340:])
        print(f"epoch {epoch + 1}: train {loss.item():.3f} test {error.item():.3f}")

print(f"test R2 {1 - error.item() / y[340:].var().item():.3f}")
