"""Sixteen-pixel digits with a small convolutional net, SGD with Nesterov momentum."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 14
LR = 0.1
EPOCHS = 8
BATCH = 16

torch.manual_seed(SEED)

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
images = F.interpolate(images, size=16, mode="bilinear")
labels = torch.tensor(digits.target)
perm = torch.randperm(len(images))
train_idx, test_idx = perm[:1300], perm[1300:]
mu, sigma = images[train_idx].mean(), images[train_idx].std()
images = (images - mu) / sigma


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )


def train_epoch(model, optimizer):
    model.train()
    total = 0.0
    order = train_idx[torch.randperm(len(train_idx))]
    for batch in torch.split(order, BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(order)


@torch.no_grad()
def accuracy(model, idx):
    model.eval()
    return (model(images[idx]).argmax(1) == labels[idx]).float().mean().item()


model = make_model()
optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, nesterov=True)
for epoch in range(EPOCHS):
    print("epoch", epoch, "loss", round(train_epoch(model, optimizer), 4))
print("test accuracy", round(accuracy(model, test_idx), 3))
