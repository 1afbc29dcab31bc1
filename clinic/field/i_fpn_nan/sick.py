import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

SEED = 4

parser = argparse.ArgumentParser(description="cell-wise digit detection with a feature pyramid")
parser.add_argument("--lr", "--learning-rate", default=0.3, type=float)
parser.add_argument("--momentum", default=0.9, type=float)
parser.add_argument("--weight-decay", default=1e-4, type=float)
parser.add_argument("--batch-size", default=16, type=int)
parser.add_argument("--epochs", default=10, type=int)
args = parser.parse_args()

torch.manual_seed(SEED)
np.random.seed(SEED)


class FPN(nn.Module):
    """Bottom-up 16 -> 8 -> 4, top-down back to 8, one prediction per cell of the 8x8 map."""

    def __init__(self, num_classes):
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 3, padding=1)
        self.c2 = nn.Conv2d(12, 32, 3, stride=2, padding=1)
        self.c3 = nn.Conv2d(32, 48, 3, stride=2, padding=1)
        self.top = nn.Conv2d(48, 32, 1)
        self.lateral = nn.Conv2d(32, 32, 1)
        self.smooth = nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(32, num_classes, 1))

    def forward(self, x):
        c1 = F.relu(self.c1(x))
        c2 = F.relu(self.c2(c1))
        c3 = F.relu(self.c3(c2))
        p3 = self.top(c3)
        p2 = self.lateral(c2) + F.interpolate(p3, scale_factor=2, mode="nearest")
        return self.head(F.relu(self.smooth(p2)))


def scenes(images, labels, n):
    """A 16x16 canvas holding two digits; the target map marks the middle 4x4 cells' class, else background (10)."""
    x = np.random.normal(0, 0.2, (n, 1, 16, 16)).astype("float32")
    y = np.full((n, 8, 8), 10)
    for i in range(n):
        corners = np.random.permutation([(0, 0), (0, 8), (8, 0), (8, 8)])[:2]
        for r, c in corners:
            j = np.random.randint(len(images))
            x[i, 0, r:r + 8, c:c + 8] += images[j] / 16.0
            y[i, r // 2 + 1:r // 2 + 3, c // 2 + 1:c // 2 + 3] = labels[j]
    return torch.from_numpy(x), torch.from_numpy(y)


digits = load_digits()
order = np.random.permutation(len(digits.images))
cut = 1300
xtr, ytr = scenes(digits.images[order[:cut]], digits.target[order[:cut]], 640)
xte, yte = scenes(digits.images[order[cut:]], digits.target[order[cut:]], 200)
mu, sd = xtr.mean(), xtr.std()
xtr, xte = (xtr - mu) / sd, (xte - mu) / sd

net = FPN(11)
optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=args.momentum, weight_decay=args.weight_decay)
train_loader = DataLoader(TensorDataset(xtr, ytr), batch_size=args.batch_size, shuffle=True)


def conf_loss(logits, target):
    # cells are summed per picture and divided by the number of objects, as in SSD
    positives = (target != 10).sum().clamp(min=1)
    return F.cross_entropy(logits, target, reduction="sum") / positives


for epoch in range(args.epochs):
    net.train()
    seen, total = 0, 0.0
    for images, targets in train_loader:
        out = net(images)
        loss = conf_loss(out, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        seen += 1
    net.eval()
    with torch.no_grad():
        pred = net(xte).argmax(1)
        mask = yte != 10
        acc = (pred[mask] == yte[mask]).float().mean().item()
    print("epoch %d  conf_loss %.4f  object cells right %.4f" % (epoch, total / seen, acc))

print("test accuracy %.4f" % acc)
