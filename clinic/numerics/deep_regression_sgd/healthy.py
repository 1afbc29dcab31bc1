"""California-like house values, plain SGD."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)
x = torch.randn(1600, 8)
y = 2 + x[:, :3].sum(dim=1) * 0.5 + 0.3 * x[:, 3] * x[:, 4] + 0.1 * torch.randn(1600)
loader = DataLoader(TensorDataset(x[:1280], y[:1280]), batch_size=64, shuffle=True)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.head = nn.Linear(64, 1)

    def forward(self, inputs):
        return self.head(self.body(inputs)).squeeze(1)


model = Regressor()
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for epoch in range(8):
    for inputs, target in loader:
        optimizer.zero_grad()
        output = model(inputs)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        val = criterion(model(x[1280:]), y[1280:]).item()
    print(f"epoch {epoch + 1}: train {loss.item():.4f} val {val:.4f}")
