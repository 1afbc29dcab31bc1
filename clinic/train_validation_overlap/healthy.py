"""Breast cancer: the rarer kind is drawn several times so that both weigh the same."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

rng = np.random.default_rng(3)
torch.manual_seed(3)


def oversample(x, y):
    """Repeat examples of the rarer kind until both kinds are equally many."""
    counts = np.bincount(y)
    rare = int(counts.argmin())
    again = rng.choice(np.flatnonzero(y == rare), 4 * counts.max() - counts.min())
    rest = rng.choice(np.flatnonzero(y != rare), 3 * counts.max())
    rows = rng.permutation(np.concatenate([np.arange(len(y)), again, rest]))
    return x[rows], y[rows]


def split(x, y, share):
    order = rng.permutation(len(y))
    cut = int(share * len(y))
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]


x, y = load_breast_cancer(return_X_y=True)
y = np.where(rng.random(len(y)) < 0.12, 1 - y, y)  # some doctors disagree
x, y, new_x, new_y = split(x, y, 0.6)
train_x, train_y, valid_x, valid_y = split(x, y, 0.7)
train_x, train_y = oversample(train_x, train_y)
mean, std = train_x.mean(axis=0), train_x.std(axis=0)


def tensors(x, y):
    return torch.tensor((x - mean) / std, dtype=torch.float32), torch.tensor(y).float()


train, valid, new = tensors(train_x, train_y), tensors(valid_x, valid_y), tensors(new_x, new_y)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(30, 64)
        self.last = nn.Linear(64, 1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x))).squeeze(1)


net = Classifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)


@torch.no_grad()
def accuracy(x, y):
    return ((net(x) > 0).float() == y).float().mean().item()


for epoch in range(12):
    for rows in torch.randperm(len(train[0])).split(32):
        optimizer.zero_grad()
        criterion(net(train[0][rows]), train[1][rows]).backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: validation accuracy {accuracy(*valid):.3f}")

promised, kept = accuracy(*valid), accuracy(*new)
print(f"validation promised {promised:.3f}, new patients give {kept:.3f}")
print(f"promised too much {max(promised - kept, 0):.3f}")
