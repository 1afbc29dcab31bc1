import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)

# Two noisy views of eight hidden sources.
sources = torch.randn(1000, 8)
view_a = torch.tanh(sources @ torch.randn(8, 20) / 3) + 0.1 * torch.randn(1000, 20)
view_b = torch.tanh(sources @ torch.randn(8, 24) / 3) + 0.1 * torch.randn(1000, 24)

encode_a = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16))
encode_b = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 16))


def spread(z):
    z = z - z.mean(dim=0)
    covariance = z.T @ z / (len(z) - 1)
    return torch.logdet(covariance)


loader = DataLoader(TensorDataset(view_a, view_b), batch_size=66, shuffle=True)
params = [*encode_a.parameters(), *encode_b.parameters()]
optimizer = torch.optim.Adam(params, lr=2e-3)

for epoch in range(12):
    for a, b in loader:
        za, zb = encode_a(a), encode_b(b)
        agreement = (za - zb).pow(2).sum(dim=1).mean()
        loss = agreement - 0.5 * (spread(za) + spread(zb))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1} agreement {agreement.item():.3f} loss {loss.item():.3f}")
