"""Loud or quiet machine hall? The loudness layer runs in half precision to save memory."""

import torch
from torch import nn

torch.manual_seed(3)


def recordings(n):
    label = torch.randint(0, 2, (n,))
    amplitude = torch.where(label == 1, 45.0, 20.0) * (0.6 + 0.8 * torch.rand(n))
    return amplitude.unsqueeze(1) * torch.randn(n, 200), label


class Loudness(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(1, 6, 9, stride=3).half()
        self.classify = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, wave):
        band = self.filters(wave.half().unsqueeze(1))
        energy = (band * band).float().mean(dim=2)
        return self.classify(torch.log10(energy + 1.0))


x, y = recordings(1000)
x_test, y_test = recordings(300)
model = Loudness()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for step in range(240):
    rows = torch.randint(0, 1000, (20,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 80 == 79:
        right = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"step {step + 1}: loss {loss.item():.4f} right {right:.3f}")
