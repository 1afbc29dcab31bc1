"""Forecast the next value of a noisy oscillation with a GRU; checked on a later stretch."""

import torch
from torch import nn, optim

torch.manual_seed(9)
t = torch.arange(1600, dtype=torch.float32)
series = torch.sin(0.2 * t) + 0.5 * torch.sin(0.05 * t + 1) + 0.05 * torch.randn(len(t))
windows = series.unfold(0, 21, 1)
inputs, targets = windows[:, :20, None], windows[:, 20]
train_x, train_y = inputs[:1200], targets[:1200]
valid_x, valid_y = inputs[1220:], targets[1220:]


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.readout(self.dropout(states[:, -1])).squeeze(-1)


def validate(model, x, y):
    model.eval()
    total = 0.0
    for start in range(0, len(x), 90):
        forecast = model(x[start : start + 90])
        total += nn.functional.mse_loss(forecast, y[start : start + 90], reduction="sum").item()
    return total / len(x)


model = Forecaster()
optimizer = optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(12):
    model.train()
    for rows in torch.randperm(len(train_x)).split(60):
        loss = nn.functional.mse_loss(model(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch:2d} validation mse {validate(model, valid_x, valid_y):.5f}")

print(f"validation mse {validate(model, valid_x, valid_y):.5f}")
