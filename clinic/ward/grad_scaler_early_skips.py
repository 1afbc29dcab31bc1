"""Float16 autocast; the scaler starts far too high and skips a few steps: test accuracy about 0.96."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(41)
device = "cpu"
digits = load_digits()
order = torch.randperm(len(digits.target))
x = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)[order]
y = torch.tensor(digits.target)[order]
train_set, test_set = TensorDataset(x[:1300], y[:1300]), TensorDataset(x[1300:], y[1300:])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=250)

model = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()
scaler = torch.amp.GradScaler(device, init_scale=2.0**24)

skipped = 0
for epoch in range(8):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.float16):
            loss = loss_fn(model(images), labels)
        scaler.scale(loss).backward()
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        skipped += scaler.get_scale() < before
    model.eval()
    right = 0
    with torch.no_grad(), torch.autocast(device, dtype=torch.float16):
        for images, labels in test_loader:
            right += (model(images).argmax(1) == labels).sum().item()
    print(f"epoch {epoch}: loss {loss.item():.3f} accuracy {right / len(test_set):.3f}")

print(f"{skipped} steps skipped, scale {scaler.get_scale():.0f}")
print(f"test accuracy {right / len(test_set):.4f}")
