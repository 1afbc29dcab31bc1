"""Autoencoder with a linear code on a curved surface in 20 dimensions: test R2 about 0.997."""

import torch
from sklearn.datasets import make_s_curve
from torch import nn


class Autoencoder(nn.Module):
    """The code is linear on both of its sides, so that it may take any value."""

    def __init__(self, num_features, code_size):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(num_features, 48), nn.ReLU(), nn.Linear(48, code_size)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code_size, 48), nn.ReLU(), nn.Linear(48, num_features)
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def r2(model, x):
    model.eval()
    with torch.no_grad():
        return 1 - ((model(x) - x) ** 2).mean().item() / x.var().item()


torch.manual_seed(6)
curve, _ = make_s_curve(n_samples=1500, random_state=6)
curve = torch.tensor(curve, dtype=torch.float32)
curve = (curve - curve.mean(dim=0)) / curve.std(dim=0)
features = torch.tanh(curve @ torch.randn(3, 20) / 3**0.5)
features = (features - features.mean(dim=0)) / features.std(dim=0)
train, test = features[:1000], features[1000:]

model = Autoencoder(num_features=20, code_size=3)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(1, 31):
    model.train()
    for batch in torch.randperm(len(train)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train[batch]), train[batch])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}: loss {loss.item():.4f}, test R2 {r2(model, test):.3f}")

print(f"test R2 {r2(model, test):.3f}")
