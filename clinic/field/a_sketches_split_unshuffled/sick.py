"""Ten kinds of little drawings, one file each, put together and classified by a small CNN."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
torch.manual_seed(SEED)

bunch = load_digits()
drawings = [bunch.images[bunch.target == kind] for kind in range(10)]

x = np.concatenate(drawings)
y = np.concatenate([np.full(len(d), kind) for kind, d in enumerate(drawings)])
x = torch.tensor((x - 4.9) / 6.0, dtype=torch.float32).unsqueeze(1)
y = torch.tensor(y)

cut = int(0.8 * len(x))
train_loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(x[cut:], y[cut:]), batch_size=128)


class SketchNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(128, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def evaluate(model):
    model.eval()
    loss = hits = 0
    with torch.no_grad():
        for images, kinds in test_loader:
            scores = model(images)
            loss += nn.functional.cross_entropy(scores, kinds, reduction="sum").item()
            hits += (scores.argmax(1) == kinds).sum().item()
    return loss / len(test_loader.dataset), hits / len(test_loader.dataset)


model = SketchNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    model.train()
    total = 0.0
    for images, kinds in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), kinds)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(kinds)
    val_loss, val_accuracy = evaluate(model)
    print(
        f"epoch {epoch + 1} loss {total / cut:.4f} val_loss {val_loss:.4f} val_accuracy {val_accuracy:.3f}"
    )

print(f"test accuracy {val_accuracy:.3f}")
