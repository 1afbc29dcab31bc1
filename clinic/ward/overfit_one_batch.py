"""A sanity check before the training: one batch of twenty is learnt by heart on purpose, then the real run."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build():
    torch.manual_seed(60)
    return nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Dropout(0.2), nn.Linear(50, 10))


def step(model, optimizer, x, y):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def overfit_one_batch(batch, steps=120):
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(steps):
        loss = step(model, optimizer, *batch)
    assert loss < 0.2, "cannot even learn one batch"
    print(f"one batch learnt: loss {loss:.4f}")


def main():
    digits = load_digits()
    x = torch.tensor(digits.data / 16, dtype=torch.float32)
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(60))
    train = TensorDataset(x[order[:1400]], y[order[:1400]])
    x_val, y_val = x[order[1400:]], y[order[1400:]]

    overfit_one_batch(next(iter(DataLoader(train, batch_size=20))))

    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        model.train()
        for batch in DataLoader(train, batch_size=32, shuffle=True):  # the last one has 24
            step(model, optimizer, *batch)
        model.eval()
        with torch.no_grad():
            logits = model(x_val)
            loss = nn.functional.cross_entropy(logits, y_val).item()
        accuracy = (logits.argmax(1) == y_val).float().mean().item()
        print(f"epoch {epoch}: validation loss {loss:.3f} accuracy {accuracy:.3f}")


main()
