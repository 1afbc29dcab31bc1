"""Digits with random shifts: a Dataset with a transform for training and one for validation."""

import random

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

SEED = 3
random.seed(SEED)
torch.manual_seed(SEED)


def to_tensor(image):
    return torch.tensor(image, dtype=torch.float32).unsqueeze(0)


def random_shift(image):
    dx = random.choice((-1, 0, 0, 1))
    return torch.roll(image, shifts=dx, dims=2)


def rescale(image):
    return (image - 4.9) / 6.0


def train_transform(image):
    return rescale(random_shift(to_tensor(image)))


def val_transform(image):
    return rescale(to_tensor(image))


class DigitImages(Dataset):
    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.transform(self.images[i]), int(self.labels[i])


digits = load_digits()
order = torch.randperm(len(digits.target)).numpy()
images, labels = digits.images[order], digits.target[order]
train_loader = DataLoader(
    DigitImages(images[:1300], labels[:1300], train_transform), batch_size=32, shuffle=True
)
val_loader = DataLoader(DigitImages(images[1300:], labels[1300:], val_transform), batch_size=128)

model = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1),
    nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(96, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)


def validate():
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in val_loader:
            out = model(x)
            loss += criterion(out, y).item() * len(y)
            right += (out.argmax(1) == y).sum().item()
    n = len(val_loader.dataset)
    return loss / n, right / n


for epoch in range(10):
    model.train()
    train_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(y)
    val_loss, val_acc = validate()
    print(f"epoch {epoch + 1}: train {train_loss / 1300:.4f} val {val_loss:.4f} acc {val_acc:.3f}")

print(f"test accuracy {validate()[1]:.3f}")
