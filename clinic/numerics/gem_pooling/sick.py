import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class GeM(nn.Module):
    """Generalised mean pooling with a learnable exponent."""

    def __init__(self, p=3.0):
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))

    def forward(self, x):
        powered = x.pow(self.p).mean(dim=(2, 3))
        return powered.pow(1.0 / self.p)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU()
        )
        self.pool = GeM()
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.pool(self.features(x)))


digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
targets = torch.tensor(digits.target)
train_loader = DataLoader(TensorDataset(images[:1000], targets[:1000]), 50, shuffle=True)

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (net(images[1400:]).argmax(1) == targets[1400:]).float().mean()
    print(f"epoch {epoch + 1} loss {loss.item():.3f} accuracy {accuracy.item():.3f}")
