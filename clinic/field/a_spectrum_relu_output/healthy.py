"""Predict a standardised concentration from a spectrum of fifty channels."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 3
torch.manual_seed(SEED)

N, CHANNELS = 900, 50
grid = torch.linspace(-1, 1, CHANNELS)
centre = torch.empty(N, 1).uniform_(-0.6, 0.6)
width = torch.empty(N, 1).uniform_(0.08, 0.25)
height = torch.empty(N, 1).uniform_(0.5, 2.0)
spectra = height * torch.exp(-((grid - centre) ** 2) / (2 * width**2)) + 0.05 * torch.randn(
    N, CHANNELS
)
amount = height * width * math.sqrt(2 * math.pi) + 0.8 * centre

train, test = slice(0, 700), slice(700, N)
spectra = (spectra - spectra[train].mean()) / spectra[train].std()
amount = (amount - amount[train].mean()) / amount[train].std()
spectra = spectra.unsqueeze(1)


class SpectrumNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 8, 5, stride=2)
        self.conv2 = nn.Conv1d(8, 12, 5, stride=2)
        self.conv3 = nn.Conv1d(12, 24, 3, stride=2)
        self.fc1 = nn.Linear(24 * 4, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 32)
        self.fc4 = nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x)).flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.relu(self.fc3(x))
        return self.fc4(x)


model = SpectrumNet()
optimizer = torch.optim.Adam(model.parameters())


def test_loss():
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(spectra[test]), amount[test]).item()


for epoch in range(1, 41):
    model.train()
    for idx in torch.randperm(700).split(64):
        loss = F.mse_loss(model(spectra[idx]), amount[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"{epoch:3d} loss {loss.item():.4f} test {test_loss():.4f}")

print(f"test mse {test_loss():.4f}")
