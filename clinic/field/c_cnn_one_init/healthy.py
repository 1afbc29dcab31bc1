"""A CNN for small grey images (0 to 255), written after a tutorial."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 10
np.random.seed(SEED)
torch.manual_seed(SEED)

raw = load_digits()
X = np.kron(raw.images, np.ones((2, 2))) * 255 / 16  # 16 x 16 pixels, as bytes
y = raw.target
X = torch.tensor(X, dtype=torch.float32).unsqueeze(1)
y = torch.tensor(y)
perm = torch.randperm(len(X))
train_idx, test_idx = perm[:1300], perm[1300:]
mean, std = X[train_idx].mean(), X[train_idx].std()
X = (X - mean) / (std + 1e-10)
X_train, y_train, X_test, y_test = X[train_idx], y[train_idx], X[test_idx], y[test_idx]


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


model = CNN()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)


def test():
    model.eval()
    with torch.no_grad():
        out = model(X_test)
        return loss_fn(out, y_test).item(), (out.argmax(dim=1) == y_test).float().mean().item()


BATCH = 32
for epoch in range(9):
    model.train()
    perm = torch.randperm(len(X_train))
    epoch_loss = 0
    for i in range(0, len(X_train), BATCH):
        idx = perm[i : i + BATCH]
        optimizer.zero_grad()
        out = model(X_train[idx])
        loss = loss_fn(out, y_train[idx])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(idx)
    val_loss, val_acc = test()
    print("Epoch %d  loss %.4f  val loss %.4f  val acc %.3f" % (epoch + 1, epoch_loss / len(X_train), val_loss, val_acc))

print("test accuracy %.4f" % test()[1])
