"""Records with broken sensors give an infinite loss; such batches are counted and skipped."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(12)
x = torch.randn(1500, 5)
y = (x[:, 0] * x[:, 1] + x[:, 2]).unsqueeze(1) + 0.1 * torch.randn(1500, 1)
y[::333] = float("inf")
loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)

model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    skipped, total = 0, 0.0
    for inputs, target in loader:
        loss = nn.functional.mse_loss(model(inputs), target)
        if not torch.isfinite(loss):
            skipped += 1
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1} loss {total / (len(loader) - skipped):.4f} skipped {skipped}")
