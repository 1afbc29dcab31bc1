# Robot arm: predict the hand's position from three joint angles.
import math

import torch
import torch.nn as nn

torch.manual_seed(30)
LENGTHS = torch.tensor([1.0, 0.7, 0.4])


def hand(angles):
    total = torch.cumsum(angles, dim=1)
    x = (LENGTHS * torch.cos(total)).sum(dim=1)
    y = (LENGTHS * torch.sin(total)).sum(dim=1)
    return torch.stack([x, y], dim=1)


def make(n):
    angles = (torch.rand(n, 3) * 2 - 1) * math.pi / 2
    position = hand(angles)
    return angles, position + 0.02 * torch.randn_like(position)


class Arm(nn.Module):
    def __init__(self, width=96, dropout=0.8):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, width), nn.Linear(width, width)])
        self.dropout = nn.Dropout(dropout)
        self.position = nn.Linear(width, 2)

    def forward(self, x):
        for layer in self.layers:
            x = self.dropout(torch.tanh(layer(x)))
        return self.position(x)


train_x, train_y = make(2000)
test_x, test_y = make(500)
arm = Arm()
optimizer = torch.optim.Adam(arm.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
mse = nn.MSELoss()
for epoch in range(30):
    arm.train()
    permutation = torch.randperm(len(train_x))
    running = 0.0
    for i in range(0, len(train_x), 100):
        rows = permutation[i : i + 100]
        loss = mse(arm(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() / 20
    schedule.step()
    arm.eval()
    with torch.no_grad():
        held_out = mse(arm(test_x), test_y).item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: train {running:.4f} held out {held_out:.4f}")

print(f"test mse {held_out:.4f}")
