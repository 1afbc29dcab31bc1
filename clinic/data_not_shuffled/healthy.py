"""Tell five kinds of measured signals apart: a plain multi-layer perceptron, batches by index."""

import torch
from torch import nn

KINDS = 5
PER_KIND = 360
BATCH_SIZE = 24

torch.manual_seed(8)
centres = 0.7 * torch.randn(KINDS, 16)


def measure(per_kind):
    """Examples of every kind, one kind after the other."""
    x = torch.cat([centre + torch.randn(per_kind, 16) for centre in centres])
    y = torch.arange(KINDS).repeat_interleave(per_kind)
    return x / 1.2, y


train_x, train_y = measure(PER_KIND)
test_x, test_y = measure(100)

model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, KINDS))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(8):
    order = torch.randperm(len(train_x))
    total = 0.0
    for start in range(0, len(order), BATCH_SIZE):
        rows = order[start : start + BATCH_SIZE]
        loss = criterion(model(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    with torch.no_grad():
        accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean()
    print(f"epoch {epoch + 1}: loss {total / len(order):.4f}, test accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
