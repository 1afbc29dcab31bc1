"""Handwritten digits with a network of two hidden layers, at a constant learning rate."""

import argparse

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", choices=["sgd", "momentum", "adam"], default="sgd")
args = parser.parse_args()

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(images))
train, valid = order[:1200], order[1200:]
loader = DataLoader(TensorDataset(images[train], labels[train]), batch_size=32, shuffle=True)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
if args.optimizer == "sgd":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
elif args.optimizer == "momentum":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
else:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)


def validate():
    model.eval()
    with torch.no_grad():
        loss = F.cross_entropy(model(images[valid]), labels[valid]).item()
    model.train()
    return loss


for epoch in range(16):
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: validation loss {validate():.5f}")
