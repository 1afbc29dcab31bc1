"""Residual network with non-reentrant activation checkpointing on digits: test accuracy about 0.96."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class DeepNet(nn.Module):
    def __init__(self, width=48, depth=4):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(self.drop(x))


torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
order = torch.randperm(len(x))
train_idx, test_idx = order[:1400], order[1400:]
x = (x - x[train_idx].mean()) / x[train_idx].std()

model = DeepNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
for epoch in range(5):
    model.train()
    total = 0.0
    for batch in train_idx[torch.randperm(len(train_idx))].split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    print(f"epoch {epoch}: train loss {total / len(train_idx):.4f}")

model.eval()
with torch.no_grad():
    logits = model(x[test_idx])
    print(f"test loss {nn.functional.cross_entropy(logits, y[test_idx]).item():.4f}")
    print(f"test accuracy {(logits.argmax(1) == y[test_idx]).float().mean().item():.4f}")
