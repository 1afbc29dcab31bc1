"""Rare faults among sensor readings: 2 % of the readings, told from eight measurements."""

import torch
import torch.nn as nn
from sklearn.metrics import average_precision_score
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(23)


def readings(count):
    faulty = (torch.rand(count) < 0.02).float()
    values = torch.randn(count, 8)
    values[:, :3] += 2.2 * faulty[:, None]
    return values, faulty


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(-1)


x, y = readings(4000)
x_val, y_val = readings(5000)
loader = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
detector = Detector()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(detector.parameters(), lr=1e-3)

for epoch in range(3):
    detector.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(detector(inputs), targets)
        loss.backward()
        optimizer.step()
    detector.eval()
    with torch.no_grad():
        scores = detector(x_val)
        val_loss = criterion(scores, y_val).item()
    print(f"epoch {epoch} validation loss {val_loss:.4f}")

print(f"average precision {average_precision_score(y_val.numpy(), scores.numpy()):.3f}")
