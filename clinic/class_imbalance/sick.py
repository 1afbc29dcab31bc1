"""Three kinds of signals, two of them rare, told apart by a one-dimensional convolution."""

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(14)
SHARES = torch.tensor([0.95, 0.03, 0.02])
LENGTH = 32


def record(count, shares):
    kinds = torch.multinomial(shares, count, replacement=True)
    time = torch.linspace(0, 6.28, LENGTH)
    phase = 6.28 * torch.rand(count, 1)
    waves = torch.stack([time + phase, 2 * time + phase, 3 * time + phase]).sin()
    signals = waves[kinds, torch.arange(count)] + 1.3 * torch.randn(count, LENGTH)
    return signals.unsqueeze(1), kinds


class Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 8, 7, padding=3)
        self.conv2 = nn.Conv1d(8, 16, 5, stride=2, padding=2)
        self.classify = nn.Linear(16, 3)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        return self.classify(x.mean(dim=2))


x_train, y_train = record(4000, SHARES)
x_test, y_test = record(1500, torch.ones(3))
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=160, shuffle=True)
counts = torch.bincount(y_train, minlength=3)

model = Waves()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.008)

for epoch in range(8):
    for signals, kinds in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(signals), kinds)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(x_test)
        print(f"epoch {epoch + 1}: test loss {criterion(scores, y_test).item():.3f}")

hits = scores.argmax(dim=1) == y_test
recalls = [hits[y_test == kind].float().mean().item() for kind in range(3)]
print("recall by kind", [round(recall, 3) for recall in recalls])
print(f"balanced accuracy {sum(recalls) / 3:.3f}")
