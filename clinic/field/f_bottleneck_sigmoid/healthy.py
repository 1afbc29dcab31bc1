#!/usr/bin/env python
"""Train a small top on saved features of a frozen image network (five kinds of flowers)."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 8
EPOCHS = 5
BATCH_SIZE = 32
LR = 1e-4

torch.manual_seed(SEED)
CLASSES = 5


def features(n, centres, basis):
    """Like the last pooled block of a conv net: (n, 32, 4, 4), not negative, mostly small."""
    y = torch.randint(0, CLASSES, (n,))
    code = centres[y] + 1.0 * torch.randn(n, centres.shape[1])
    x = torch.relu(code @ basis + 0.8 * torch.randn(n, basis.shape[1]))
    return x.view(n, 32, 4, 4), y


centres = torch.randn(CLASSES, 12)
basis = torch.randn(12, 512) / 12 ** 0.5
x_train, y_train = features(4000, centres, basis)
x_val, y_val = features(600, centres, basis)
mean, std = x_train.mean(), x_train.std()
x_train, x_val = (x_train - mean) / std, (x_val - mean) / std

top = nn.Sequential()
top.add_module("flatten", nn.Flatten())
top.add_module("fc1", nn.Linear(512, 256))
top.add_module("relu", nn.ReLU())
top.add_module("drop", nn.Dropout(0.5))
top.add_module("fc2", nn.Linear(256, CLASSES))

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(top.parameters(), lr=LR)
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH_SIZE, shuffle=True)
val_loader = DataLoader(TensorDataset(x_val, y_val), batch_size=200)

for epoch in range(EPOCHS):
    top.train()
    train_loss = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        out = top(xb)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(yb)

    top.eval()
    val_loss, correct = 0.0, 0
    with torch.no_grad():
        for xb, yb in val_loader:
            out = top(xb)
            val_loss += criterion(out, yb).item() * len(yb)
            correct += (out.argmax(dim=1) == yb).sum().item()
    print("epoch {:2d}  loss {:.4f}  val_loss {:.4f}  val_acc {:.4f}".format(
        epoch + 1, train_loss / len(y_train), val_loss / len(y_val), correct / len(y_val)))

print("test cross-entropy {:.4f}".format(val_loss / len(y_val)))
