"""Weights averaged by hand, batch norm statistics measured anew in train mode: test accuracy about 0.99."""

import copy

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(47)
images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16
images = (images - images.mean()) / images.std()
labels = torch.tensor(load_digits().target)
order = torch.randperm(len(labels))
train, test = order[:1300], order[1300:]


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


model = nn.Sequential(
    block(1, 12), nn.MaxPool2d(2), block(12, 24), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10)
)


def measure_norms(model):
    """Forget the running statistics and take plain averages over the training data."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    model.train()
    with torch.no_grad():
        for rows in train.split(100):
            model(images[rows])
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1


def accuracy(model):
    model.eval()
    with torch.no_grad():
        scores = model(images[test])
    return (scores.argmax(1) == labels[test]).float().mean().item(), F.cross_entropy(
        scores, labels[test]
    ).item()


optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
snapshots = []
for epoch in range(8):
    model.train()
    for rows in train[torch.randperm(len(train))].split(50):
        loss = F.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch >= 4:
        snapshots.append(copy.deepcopy(model.state_dict()))
    measure_norms(model)
    right, test_loss = accuracy(model)
    print(f"epoch {epoch}: test loss {test_loss:.3f} accuracy {right:.3f}")

mean = {key: torch.stack([s[key].float() for s in snapshots]).mean(0) for key in snapshots[0]}
model.load_state_dict(mean)
measure_norms(model)
print(f"average of {len(snapshots)}: test accuracy {accuracy(model)[0]:.3f}")
