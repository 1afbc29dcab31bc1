"""Noise-free two-link arm kinematics fitted to a tiny loss: test MSE about 5e-5 of unit variance."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def arm(n):
    angles = torch.rand(n, 2) * 2 - 1
    elbow = angles.sum(dim=1)
    x = angles[:, 0].cos() + 0.7 * elbow.cos()
    y = angles[:, 0].sin() + 0.7 * elbow.sin()
    return angles / 0.577, torch.stack([x, y], dim=1)


train_in, train_out = arm(2000)
test_in, test_out = arm(500)
offset, spread = train_out.mean(0), train_out.std(0)
train_out, test_out = (train_out - offset) / spread, (test_out - offset) / spread
loader = DataLoader(TensorDataset(train_in, train_out), batch_size=100, shuffle=True)

model = nn.Sequential(nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60 * len(loader))
loss_fn = nn.MSELoss()

for epoch in range(60):
    model.train()
    for inputs, outputs in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), outputs)
        loss.backward()
        optimizer.step()
        scheduler.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {loss.item():.2e} rate {scheduler.get_last_lr()[0]:.1e}")

model.eval()
with torch.no_grad():
    train_loss = loss_fn(model(train_in), train_out).item()
    test_loss = loss_fn(model(test_in), test_out).item()
print(f"train MSE {train_loss:.2e}, test MSE {test_loss:.2e}")
