import random

import numpy as np
import torch
from sklearn import datasets, model_selection
from torch import nn, optim
from torch.utils import data

SEED = 8

random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)


class TanhNet(nn.Module):
    """A plain tanh perceptron for 8x8 digits."""

    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.reset_parameters()

    def reset_parameters(self):
        for layer in self.layers:
            nn.init.normal_(layer.weight, mean=0.0, std=1.0)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            x = torch.tanh(layer(x))
        return last(x)


def loaders():
    X, y = datasets.load_digits(return_X_y=True)
    X = X / 16.0
    Xa, Xb, ya, yb = model_selection.train_test_split(X, y, test_size=0.3, random_state=SEED, stratify=y)
    centre = Xa.mean(axis=0)
    spread = Xa.std()
    sets = [data.TensorDataset(torch.from_numpy((X - centre) / spread).float(), torch.from_numpy(y).long())
            for X, y in ((Xa, ya), (Xb, yb))]
    return data.DataLoader(sets[0], batch_size=32, shuffle=True), data.DataLoader(sets[1], batch_size=256)


def train_one_epoch(net, loader, criterion, opt):
    net.train()
    loss_sum = 0.0
    for xb, yb in loader:
        loss = criterion(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss_sum += loss.item() * yb.numel()
    return loss_sum / len(loader.dataset)


def validate(net, loader, criterion):
    net.eval()
    loss_sum, good = 0.0, 0
    with torch.no_grad():
        for xb, yb in loader:
            scores = net(xb)
            loss_sum += criterion(scores, yb).item() * yb.numel()
            good += int((scores.argmax(dim=-1) == yb).sum())
    return loss_sum / len(loader.dataset), good / len(loader.dataset)


train_loader, test_loader = loaders()
net = TanhNet([64, 128, 128, 64, 10])
criterion = nn.CrossEntropyLoss()
opt = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

for epoch in range(1, 16):
    tl = train_one_epoch(net, train_loader, criterion, opt)
    vl, va = validate(net, test_loader, criterion)
    print(f"{epoch:02d} | train {tl:.4f} | val {vl:.4f} | acc {va:.3f}")

print(f"test accuracy {va:.3f}")
