# Which waveform is it? One-dimensional convolutions, cyclical learning rate.
import math

import torch
import torch.nn as nn

SEED = 3
LENGTH = 64
STEPS = 500
torch.manual_seed(SEED)


def make_waves(n):
    t = torch.linspace(0, 1, LENGTH)
    freq = 2 + 4 * torch.rand(n, 1)
    phase = (freq * t + torch.rand(n, 1)) % 1.0
    kind = torch.randint(4, (n,))
    shapes = torch.stack(
        [
            torch.sin(2 * math.pi * phase) * 1.22,
            torch.where(phase < 0.5, 1.0, -1.0) * 0.87,
            (2 * phase - 1) * 1.5,
            (1 - 4 * (phase - 0.5).abs()) * 1.5,
        ],
        dim=1,
    )
    waves = shapes[torch.arange(n), kind] + 0.35 * torch.randn(n, LENGTH)
    return waves.unsqueeze(1), kind


train_x, train_y = make_waves(1600)
test_x, test_y = make_waves(600)
mean, std = train_x.mean(), train_x.std()
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std

net = nn.Sequential(
    nn.Conv1d(1, 16, 7, padding=3),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Conv1d(16, 24, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Flatten(),
    nn.Linear(24 * 16, 48),
    nn.ReLU(),
    nn.Linear(48, 4),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
scheduler = torch.optim.lr_scheduler.CyclicLR(
    optimizer,
    base_lr=5e-4,
    max_lr=0.5,
    step_size_up=125,
    cycle_momentum=False,
)

history = []
for step in range(1, STEPS + 1):
    net.train()
    idx = torch.randint(len(train_x), (32,))
    loss = loss_fn(net(train_x[idx]), train_y[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    history.append(loss.item())
    if step % 100 == 0:
        net.eval()
        with torch.no_grad():
            val = loss_fn(net(test_x), test_y).item()
        print(f"step {step} loss {sum(history[-100:]) / 100:.4f} val {val:.4f}")

net.eval()
with torch.no_grad():
    accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
