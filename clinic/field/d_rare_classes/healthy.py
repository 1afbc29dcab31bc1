"""Leaf pictures, five kinds of plants.  Two kinds are common in the field, three are rare."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SEED = 8
SIDE = 12
TRAIN_COUNTS = [1200, 1200, 80, 80, 80]
TEST_COUNT = 120

torch.manual_seed(SEED)


def smooth(noise):
    return F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="reflect"), 5, stride=1)


PATTERNS = smooth(torch.randn(5, 1, SIDE, SIDE))
PATTERNS = PATTERNS / PATTERNS.flatten(1).std(dim=1).view(-1, 1, 1, 1)
PATTERNS = PATTERNS - PATTERNS.mean(dim=(2, 3), keepdim=True)


def photograph(kind, count):
    """The pattern of the kind, fainter or stronger, under much noise."""
    strength = 0.15 + 0.1 * torch.rand(count, 1, 1, 1)
    return strength * PATTERNS[kind] + torch.randn(count, 1, SIDE, SIDE)


def make_set(counts):
    images = torch.cat([photograph(kind, n) for kind, n in enumerate(counts)])
    labels = torch.cat([torch.full((n,), kind) for kind, n in enumerate(counts)])
    return TensorDataset(images, labels)


class LeafNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=2, padding=2)
        self.fc1 = nn.Linear(8 * 6 * 6, 32)
        self.fc2 = nn.Linear(32, 5)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def recalls(model, loader):
    model.eval()
    hits, seen = torch.zeros(5), torch.zeros(5)
    with torch.no_grad():
        for images, labels in loader:
            right = model(images).argmax(dim=1) == labels
            for kind in range(5):
                hits[kind] += right[labels == kind].sum()
                seen[kind] += (labels == kind).sum()
    return hits / seen


train_set, test_set = make_set(TRAIN_COUNTS), make_set([TEST_COUNT] * 5)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=200)

model = LeafNet()
counts = torch.tensor(TRAIN_COUNTS, dtype=torch.float32)
loss_fn = nn.CrossEntropyLoss(weight=counts.sum() / (5 * counts))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(6):
    model.train()
    total = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    recall = recalls(model, test_loader)
    print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f}, recall " + " ".join(f"{r:.2f}" for r in recall))

print(f"test balanced accuracy {recall.mean():.4f}")
