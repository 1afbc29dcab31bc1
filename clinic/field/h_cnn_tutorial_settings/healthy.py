"""CNN tutorial, part 2: telling six kinds of cloth apart.

Every picture is 3x16x16 and shows a woven pattern (an oriented wave, any
phase, any tint) under a good deal of noise.
"""
import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 42

config = {
    "filters": (16, 32),
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "epochs": 6,
    "classes": 6,
}


def cloth(n, classes):
    yy, xx = torch.meshgrid(torch.arange(16.), torch.arange(16.), indexing="ij")
    labels = torch.randint(classes, (n,))
    angle = labels[:, None, None] * math.pi / classes
    phase = torch.rand(n, 1, 1) * 2 * math.pi
    wave = torch.sin((xx * torch.cos(angle) + yy * torch.sin(angle)) * 1.3 + phase)
    tint = 0.5 + torch.rand(n, 3, 1, 1)
    images = wave[:, None] * tint + 1.8 * torch.randn(n, 3, 16, 16)
    return images, labels


def build(cfg):
    f1, f2 = cfg["filters"]
    return nn.Sequential(
        nn.Conv2d(3, f1, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(f1, f2, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(f2 * 16, 32),
        nn.ReLU(),
        nn.Linear(32, cfg["classes"]),
    )


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    hits = count = 0
    for images, labels in loader:
        hits += (model(images).argmax(dim=1) == labels).sum().item()
        count += len(labels)
    return hits / count


def main(cfg):
    torch.manual_seed(SEED)
    images, labels = cloth(1400, cfg["classes"])
    images = (images - images.mean()) / images.std()
    train_set, test_set = random_split(TensorDataset(images, labels), [1000, 400])
    train_loader = DataLoader(train_set, batch_size=cfg["batch_size"], shuffle=True)
    test_loader = DataLoader(test_set, batch_size=200)

    model = build(cfg)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg["learning_rate"],
                                 weight_decay=cfg["weight_decay"])

    for epoch in range(1, cfg["epochs"] + 1):
        model.train()
        epoch_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        print(f"epoch {epoch:2d}  train loss {epoch_loss / len(train_loader):.3f}  "
              f"val accuracy {evaluate(model, test_loader):.3f}")

    print(f"test accuracy {evaluate(model, test_loader):.3f}")


if __name__ == "__main__":
    main(config)
