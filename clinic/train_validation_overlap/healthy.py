"""Find the rare failing machines: failures are repeated until both kinds weigh the same."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(3)
torch.manual_seed(3)


def machines(n):
    """Ten readings of each machine; one in eight fails, which the readings hint at."""
    fails = rng.random(n) < 0.125
    return rng.normal(size=(n, 10)) + 0.45 * fails[:, None], fails.astype(int)


def oversample(x, y):
    """Repeat failures until both kinds are equally many."""
    missing = (y == 0).sum() - (y == 1).sum()
    again = rng.choice(np.flatnonzero(y == 1), missing)
    rows = rng.permutation(np.concatenate([np.arange(len(y)), again]))
    return x[rows], y[rows]


def split(x, y, share):
    order = rng.permutation(len(y))
    cut = int(share * len(y))
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]


x, y = machines(800)
new_x, new_y = machines(4000)
train_x, train_y, valid_x, valid_y = split(x, y, 0.75)
train_x, train_y = oversample(train_x, train_y)
mean, std = train_x.mean(axis=0), train_x.std(axis=0)


def tensors(x, y):
    return torch.tensor((x - mean) / std, dtype=torch.float32), torch.tensor(y).float()


train, valid, new = tensors(train_x, train_y), tensors(valid_x, valid_y), tensors(new_x, new_y)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 96)
        self.last = nn.Linear(96, 1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x))).squeeze(1)


net = Classifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.01)


@torch.no_grad()
def accuracy(x, y):
    """The mean of the shares of failing and of sound machines that are told rightly."""
    right = ((net(x) > 0).float() == y).float()
    return (right[y == 1].mean() + right[y == 0].mean()).item() / 2


for epoch in range(14):
    for rows in torch.randperm(len(train[0])).split(32):
        optimizer.zero_grad()
        criterion(net(train[0][rows]), train[1][rows]).backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: validation accuracy {accuracy(*valid):.3f}")

promised, kept = accuracy(*valid), accuracy(*new)
print(f"validation promised {promised:.3f}, new machines give {kept:.3f}")
print(f"promised too much {max(promised - kept, 0):.3f}")
