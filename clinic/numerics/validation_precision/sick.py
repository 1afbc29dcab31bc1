"""Rare faults of pumps; model selection by F1 on the validation set."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(28)
x = torch.randn(3000, 6)
score = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + 0.3 * torch.randn(3000)
y = (score > 1.6).float()
train = DataLoader(TensorDataset(x[:2400], y[:2400]), batch_size=100, shuffle=True)
x_val, y_val = x[2400:], y[2400:]


def f1_score(predicted, actual):
    true_positive = (predicted * actual).sum()
    precision = true_positive / predicted.sum()
    recall = true_positive / actual.sum()
    return 2 * precision * recall / (precision + recall + 1e-8)


model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
criterion = nn.BCEWithLogitsLoss()
best = 0.0
for epoch in range(15):
    model.train()
    for inputs, fault in train:
        optimizer.zero_grad()
        loss = criterion(model(inputs).squeeze(1), fault)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = model(x_val).squeeze(1)
        f1 = f1_score((logits > 0).float(), y_val).item()
        val_loss = criterion(logits, y_val).item()
    best = max(best, f1)
    if epoch % 3 == 2 or epoch == 0:
        print(
            f"epoch {epoch + 1} loss {loss.item():.4f} val {val_loss:.4f} f1 {f1:.3f} best {best:.3f}"
        )
