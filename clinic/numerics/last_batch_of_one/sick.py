import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Normalise(nn.Module):
    """Normalises the columns of a batch."""

    def forward(self, x):
        return (x - x.mean(dim=0)) / (x.std(dim=0) + 1e-5)


n = 641
x = torch.randn(n, 7) * torch.tensor([1.0, 5.0, 20.0, 1.0, 3.0, 0.1, 2.0])
y = x[:, 0] - 0.1 * x[:, 2] + torch.sin(x[:, 4]) + 0.1 * torch.randn(n)
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)

model = nn.Sequential(Normalise(), nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(12):
    total = 0.0
    for xb, yb in loader:
        loss = (model(xb).squeeze(1) - yb).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}: mse {total / len(loader):.4f}")
