import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from torch import nn

torch.manual_seed(5)
X, y = load_breast_cancer(return_X_y=True)
X, y = torch.tensor(scale(X), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
order = torch.randperm(len(X))
X, y = X[order] * 5, y[order]

net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(20):
    for rows in torch.randperm(450).split(50):
        p = net(X[rows]).squeeze(1).clamp(1e-6, 1 - 1e-6)
        loss = -(y[rows] * p.log() + (1 - y[rows]) * (1 - p).log()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        right = ((net(X[450:]).squeeze(1) > 0.5) == (y[450:] > 0.5)).float().mean().item()
        print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {right:.3f}")
