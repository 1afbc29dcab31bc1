"""LSTM on noisy sine waves, one value ahead: validation MSE about 0.025 (noise alone 0.01)."""

import math

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, hidden_size=32):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, 1)

    def forward(self, series):
        states, _ = self.lstm(series)
        return self.out(states)


def sine_waves(count, length=40):
    frequency = 0.2 + 0.3 * torch.rand(count, 1)
    phase = 2 * math.pi * torch.rand(count, 1)
    waves = torch.sin(frequency * torch.arange(length + 1) + phase)
    noisy = waves + 0.1 * torch.randn_like(waves)
    return noisy[:, :-1, None], noisy[:, 1:, None]


torch.manual_seed(2)
train_x, train_y = sine_waves(512)
val_x, val_y = sine_waves(128)

model = Forecaster()
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(1, 21):
    model.train()
    order = torch.randperm(len(train_x))
    for batch in order.split(64):
        optimizer.zero_grad()
        loss = loss_fn(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val_loss = loss_fn(model(val_x), val_y).item()
    print(f"epoch {epoch:2d}: train {loss.item():.4f}, validation {val_loss:.4f}")

print(f"validation MSE {val_loss:.4f}")
