"""Binary task with 2% positives, weighted loss and prior bias: average precision about 0.83 (guessing 0.02)."""

import math

import torch
from sklearn.metrics import average_precision_score, recall_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)
DIMENSIONS = 10


def draw(n):
    y = (torch.rand(n) < 0.02).float()
    x = torch.randn(n, DIMENSIONS)
    x[:, :4] += 1.6 * y[:, None]
    x[:, 4] *= 1 + y
    return x, y


x_train, y_train = draw(20000)
x_test, y_test = draw(10000)
positive = y_train.mean().item()
weight = 5.0

model = nn.Sequential(nn.Linear(DIMENSIONS, 24), nn.GELU(), nn.Linear(24, 1))
with torch.no_grad():
    model[-1].bias.fill_(math.log(weight * positive / (1 - positive)))
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=250, shuffle=True)

for epoch in range(6):
    model.train()
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        scores = model(x_test).squeeze(1)
        test_loss = criterion(scores, y_test).item()
    precision = average_precision_score(y_test.numpy(), scores.numpy())
    print(
        f"epoch {epoch} train {running / len(loader):.4f} test {test_loss:.4f} AP {precision:.4f}"
    )

found = recall_score(y_test.numpy(), (scores > 0).numpy())
print(f"average precision {precision:.4f}, recall {found:.4f}, positives {positive:.3%}")
