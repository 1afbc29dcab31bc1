"""Keyword spotting on filter-bank features: depthwise convolutions, max pooling over time."""

import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 7
torch.manual_seed(SEED)
MELS, FRAMES, KEYWORDS = 20, 30, 6


def synth(n, gen, templates):
    feats = torch.randn(n, FRAMES, MELS, generator=gen)
    label = torch.randint(0, KEYWORDS, (n,), generator=gen)
    start = torch.randint(0, FRAMES - 10, (n,), generator=gen)
    for i in range(n):
        feats[i, start[i] : start[i] + 10] += 0.5 * templates[label[i]]
    return feats, label


gen = torch.Generator().manual_seed(SEED)
templates = torch.randn(KEYWORDS, 10, MELS, generator=gen)
train_set = TensorDataset(*synth(1200, gen, templates))
cv_feats, cv_label = synth(500, gen, templates)


class KWSModel(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.preprocess = nn.Linear(MELS, dim)
        self.block1 = nn.Conv1d(dim, dim, 5, padding=2)
        self.block2 = nn.Conv1d(dim, dim, 5, padding=2)
        self.classifier = nn.Linear(dim, KEYWORDS)

    def forward(self, x):
        x = torch.relu(self.preprocess(x)).transpose(1, 2)
        x = torch.relu(self.block1(x))
        x = torch.relu(self.block2(x))
        return self.classifier(x.amax(dim=2))


class Executor:
    def __init__(self, clip=5.0):
        self.clip = clip
        self.step = 0

    def train(self, model, optimizer, loader):
        model.train()
        seen, total = 0, 0.0
        for feats, target in loader:
            logits = model(feats)
            loss = nn.functional.cross_entropy(logits, target)
            optimizer.zero_grad()
            loss.backward()
            grad_norm = nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            if math.isfinite(grad_norm.item()):
                optimizer.step()
            total += loss.item() * len(target)
            seen += len(target)
            self.step += 1
        return total / seen

    def cv(self, model, feats, target):
        model.eval()
        with torch.no_grad():
            return (model(feats).argmax(1) == target).float().mean().item()


model = KWSModel()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
executor = Executor()
loader = DataLoader(train_set, batch_size=40, shuffle=True)
for epoch in range(12):
    loss = executor.train(model, optimizer, loader)
    print(
        "Epoch {} TRAIN loss {:.4f} CV acc {:.3f}".format(
            epoch, loss, executor.cv(model, cv_feats, cv_label)
        )
    )
print("test accuracy {:.3f}".format(executor.cv(model, cv_feats, cv_label)))
