"""SimpleNet on small digit images: a plain stack of convolutions with spatial dropout."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

SEED = 5
torch.manual_seed(SEED)

X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) / 16.0
X = (X - 0.305) / 0.376
y = torch.tensor(y)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, random_state=SEED, stratify=y
)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)


class SimpleNet(nn.Module):
    def __init__(self, classes=10, p=0.4):
        super().__init__()
        self.p = p
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.classifier = nn.Linear(32 * 4, classes)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.dropout2d(x, self.p, training=self.training)
        x = F.max_pool2d(F.relu(self.conv3(x)), 2)
        x = F.dropout2d(x, self.p, training=self.training)
        return self.classifier(x.flatten(1))


model = SimpleNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def evaluate():
    model.eval()
    with torch.no_grad():
        return (model(X_test).argmax(1) == y_test).float().mean().item()


for epoch in range(10):
    model.train()
    running = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(xb)
    print(f"epoch {epoch + 1:2d}  loss {running / len(X_train):.4f}  test {evaluate():.3f}")

print(f"test accuracy {evaluate():.3f}")
