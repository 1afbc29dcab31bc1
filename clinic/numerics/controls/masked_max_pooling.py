"""Bags of points: padded entries are -inf before the maximum over the bag."""

import torch
from torch import nn

torch.manual_seed(8)


def bags(n):
    size = torch.randint(2, 12, (n,))
    points = torch.randn(n, 12, 2)
    label = torch.randint(0, 2, (n,)).float()
    points[:, 0] += 3 * label.unsqueeze(1)
    present = torch.arange(12) < size.unsqueeze(1)
    return points * present.unsqueeze(2), present, label


class DeepSet(nn.Module):
    def __init__(self):
        super().__init__()
        self.point = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32))
        self.bag = nn.Linear(32, 1)

    def forward(self, points, present):
        h = self.point(points).masked_fill(~present.unsqueeze(2), float("-inf"))
        return self.bag(h.max(dim=1).values).squeeze(1)


model = DeepSet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.BCEWithLogitsLoss()
test = bags(400)
for step in range(300):
    points, present, label = bags(32)
    loss = criterion(model(points, present), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        right = ((model(test[0], test[1]) > 0) == (test[2] > 0)).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.4f} right {right:.3f}")
