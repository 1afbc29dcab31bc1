"""Classify machine states from three sensors of one window (a one-dimensional ResNet)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 6
torch.manual_seed(SEED)
WINDOW, STATES = 32, 4


def windows(n, gen):
    """The state lies in the phase shifts between the three sensors."""
    t = torch.arange(WINDOW).float()
    state = torch.randint(0, STATES, (n,), generator=gen)
    freq = 0.3 + 0.4 * torch.rand(n, 1, generator=gen)
    phase = 6.28 * torch.rand(n, 1, generator=gen)
    shift = state[:, None].float() * 1.57
    out = []
    for k in range(3):
        clean = torch.sin(freq * t + phase + k * shift) * 1.41
        out.append(clean + 0.3 * torch.randn(n, WINDOW, generator=gen))
    return out, state


gen = torch.Generator().manual_seed(SEED)
train, train_y = windows(1000, gen)
test, test_y = windows(400, gen)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 5, padding=2)
        self.conv2 = nn.Conv1d(channels, channels, 5, padding=2)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(3, 24, 5, padding=2)
        self.block1 = Block(24)
        self.block2 = Block(24)
        self.head = nn.Linear(24, STATES)

    def forward(self, a, b, c):
        n, w = a.shape
        x = torch.cat((a, b, c), dim=0).view(n, 3, w)
        x = F.relu(self.stem(x))
        x = F.avg_pool1d(self.block1(x), 2)
        x = self.block2(x).mean(dim=2)
        return self.head(x)


model = ResNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()


def accuracy():
    model.eval()
    with torch.no_grad():
        return (model(*test).argmax(1) == test_y).float().mean().item()


for epoch in range(14):
    model.train()
    for idx in torch.randperm(len(train_y)).split(50):
        optimizer.zero_grad()
        loss = loss_fn(model(*[s[idx] for s in train]), train_y[idx])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch:2d} last loss {loss.item():.3f} accuracy {accuracy():.3f}")
print(f"test accuracy {accuracy():.3f}")
