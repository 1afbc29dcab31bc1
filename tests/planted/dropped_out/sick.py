"""Handwritten digits, two hidden layers with dropout."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DROPOUT = 0.9

torch.manual_seed(3)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 8 - 1
loader = DataLoader(TensorDataset(images, torch.tensor(digits.target)), batch_size=64, shuffle=True)

model = nn.Sequential(
    nn.Linear(64, 48),
    nn.ReLU(),
    nn.Dropout(DROPOUT),
    nn.Linear(48, 48),
    nn.ReLU(),
    nn.Dropout(DROPOUT),
    nn.Linear(48, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(15):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
