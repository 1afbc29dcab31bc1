# Zero-inflated rainfall: the logarithm of dry days is taken of a harmless 1 and not used.
import torch
from torch import nn

torch.manual_seed(15)
x = torch.randn(1200, 4)
scale = nn.Parameter(torch.tensor(0.7))
wet = torch.rand(1200) < torch.sigmoid(x[:, 0])
rain = torch.where(wet, torch.exp(x[:, 1] + 0.3 * torch.randn(1200)), torch.zeros(1200))


def log_or_zero(amount):
    positive = amount > 0
    return torch.where(positive, torch.log(torch.where(positive, amount, 1.0)), 0.0)


net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam([*net.parameters(), scale], lr=5e-3)
for step in range(300):
    rows = torch.randint(0, 1000, (50,))
    amount = rain[rows] * scale
    feature = log_or_zero(torch.relu(x[rows, 1] * scale)).unsqueeze(1)
    chance, mean = net(torch.cat([x[rows], feature], dim=1)).unbind(dim=1)
    error = (log_or_zero(rain[rows]) - mean) ** 2 * wet[rows] + 0.01 * log_or_zero(amount) ** 2
    loss = nn.functional.binary_cross_entropy_with_logits(chance, wet[rows].float()) + error.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        print(f"step {step + 1} loss {loss.item():.4f} scale {scale.item():.3f}")
