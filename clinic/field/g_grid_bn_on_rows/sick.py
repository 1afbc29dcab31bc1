"""100 measurements per example, shown to a small conv net as a 10x10 grid; two classes."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

SEED = 17
torch.manual_seed(SEED)

X, y = make_classification(n_samples=900, n_features=100, n_informative=30, n_redundant=20,
                           class_sep=1.5, shuffle=True, random_state=SEED)
X = torch.tensor(StandardScaler().fit(X[:700]).transform(X), dtype=torch.float32)
y = torch.tensor(y)
grids = X.reshape(-1, 10, 10, 1)            # rows, columns, channels

train_loader = DataLoader(TensorDataset(grids[:700], y[:700]), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset(grids[700:], y[700:]), batch_size=200)


class ConvBN(nn.Module):
    """Convolution over a (batch, row, column, channel) tensor, ReLU, then batch norm."""

    def __init__(self, c_in, c_out, rows):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(rows)

    def forward(self, x):
        x = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.norm(F.relu(x))


class GridNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = ConvBN(1, 16, rows=10)
        self.block2 = ConvBN(16, 24, rows=10)
        self.block3 = ConvBN(24, 32, rows=10)
        self.fc = nn.Linear(32 * 100, 64)
        self.out = nn.Linear(64, 2)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(x)))
        x = F.relu(self.fc(x.flatten(1)))
        return torch.sigmoid(self.out(x))


model = GridNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

for epoch in range(6):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()

    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for xb, yb in test_loader:
            out = model(xb)
            total += criterion(out, yb).item() * len(yb)
            right += (out.argmax(1) == yb).sum().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}, test accuracy {right / 200:.3f}")

print(f"test loss {total / 200:.4f}")
