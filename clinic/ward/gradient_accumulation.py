"""Digits classifier with gradients accumulated over four micro-batches: test accuracy about 0.97."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ACCUMULATE = 4
EPOCHS = 12


def loaders():
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32) / 16.0
    labels = torch.tensor(labels)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    mean, std = train_x.mean(), train_x.std()
    train = TensorDataset((train_x - mean) / std, train_y)
    test = TensorDataset((test_x - mean) / std, test_y)
    return (
        DataLoader(train, batch_size=16, shuffle=True, drop_last=True),
        DataLoader(test, batch_size=256),
    )


def accuracy(model, loader):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for x, y in loader:
            hits += (model(x).argmax(dim=1) == y).sum().item()
            total += len(y)
    return hits / total


def main():
    torch.manual_seed(0)
    train_loader, test_loader = loaders()
    model = nn.Sequential(
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    criterion = nn.CrossEntropyLoss()

    for epoch in range(EPOCHS):
        model.train()
        optimizer.zero_grad()
        running = 0.0
        for index, (x, y) in enumerate(train_loader, start=1):
            loss = criterion(model(x), y) / ACCUMULATE
            loss.backward()
            running += loss.item() * ACCUMULATE
            if index % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(f"epoch {epoch + 1:2d}  train loss {running / len(train_loader):.4f}")
    print(f"test accuracy {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
