"""Wines told apart from few bottles: measurements are jittered anew each time they are drawn."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, Dataset, get_worker_info


class JitteredBottles(Dataset):
    def __init__(self, measurements, kinds, strength=0.3):
        self.measurements = measurements
        self.kinds = kinds
        self.strength = strength
        self.rng = np.random.default_rng(5)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, index):
        jitter = self.rng.normal(0, self.strength, self.measurements.shape[1])
        row = self.measurements[index] + jitter
        return torch.as_tensor(row, dtype=torch.float32), int(self.kinds[index])


def reseed(worker_id):
    info = get_worker_info()
    info.dataset.rng = np.random.default_rng(info.seed)


def main():
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    x, y = load_wine(return_X_y=True)
    order = rng.permutation(len(y))
    train, held_out = order[:90], order[90:]
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)

    loader = DataLoader(
        JitteredBottles(x[train], y[train]),
        batch_size=15,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
        worker_init_fn=reseed,
    )
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    seen = set()
    for epoch in range(8):
        for rows, kinds in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(rows), kinds).backward()
            optimizer.step()
            clean = torch.as_tensor(x[train], dtype=torch.float32)
            nearest = torch.cdist(rows, clean).argmin(dim=1)
            seen.update(round(value, 5) for value in (rows - clean[nearest])[:, 0].tolist())
    with torch.no_grad():
        scores = net(torch.as_tensor(x[held_out], dtype=torch.float32))
        loss = F.cross_entropy(scores, torch.as_tensor(y[held_out]))
    print(f"held-out loss {loss:.3f}")
    print(f"different jitters {len(seen)} of {8 * len(train)}")


if __name__ == "__main__":
    main()
