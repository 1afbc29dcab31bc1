# 1D conv net that separates two kinds of measured series
import math
import torch
import torch.nn as nn
import torch.utils.data as data

SEED = 42
torch.manual_seed(SEED)

LENGTH = 196
N_TRAIN, N_TEST = 900, 250


def series(n):
    """kind 0: only noise; kind 1: somewhere in the noise there is a short ringing"""
    kind = torch.randint(0, 2, (n,))
    t = torch.arange(LENGTH).float()
    centre = 20 + (LENGTH - 40) * torch.rand(n, 1)
    phase = 2 * math.pi * torch.rand(n, 1)
    ringing = torch.exp(-((t - centre) / 8) ** 2) * torch.sin(2 * math.pi * t / 9 + phase)
    wave = 2.0 * ringing * kind[:, None] + 0.6 * torch.randn(n, LENGTH)
    return wave.unsqueeze(1), kind


x_train, y_train = series(N_TRAIN)
x_test, y_test = series(N_TEST)
y_train_hot = nn.functional.one_hot(y_train, 2).float()
loader = data.DataLoader(data.TensorDataset(x_train, y_train_hot), batch_size=32, shuffle=True)


class LogCoshLoss(nn.Module):
    def forward(self, prediction, target):
        return torch.log(torch.cosh(prediction - target)).mean()


class SeriesNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, kernel_size=7, stride=2),
            nn.Conv1d(16, 32, kernel_size=5, stride=2),
            nn.Conv1d(32, 16, kernel_size=5, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 21, 16),
            nn.ReLU(),
            nn.Linear(16, 2),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def accuracy(net):
    net.eval()
    with torch.no_grad():
        right = net(x_test).argmax(dim=1) == y_test
    net.train()
    return right.float().mean().item()


net = SeriesNet()
loss_fn = LogCoshLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)

for epoch in range(1, 16):
    epoch_loss = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * xb.size(0)
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d}  loss {epoch_loss / N_TRAIN:.5f}  val acc {accuracy(net):.3f}")

print(f"test accuracy {accuracy(net):.3f}")
