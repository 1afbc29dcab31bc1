"""LeNet, as in the old paper, on handwritten digits."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
torch.manual_seed(SEED)

digits = load_digits()
images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
images = F.interpolate(images, size=14, mode="bilinear", align_corners=False)
images = (images - 0.3) / 0.35
target = torch.tensor(digits.target)
train_idx, test_idx = train_test_split(np.arange(len(target)), test_size=0.25, random_state=SEED)
train_loader = DataLoader(
    TensorDataset(images[train_idx], target[train_idx]), batch_size=32, shuffle=True
)
test_loader = DataLoader(TensorDataset(images[test_idx], target[test_idx]), batch_size=450)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 12, 4)
        self.pool = nn.MaxPool2d(2)
        self.dense1 = nn.Linear(12 * 2 * 2, 192)
        self.dense2 = nn.Linear(192, 10)
        self.dense3 = nn.Linear(10, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = x.flatten(1)
        x = torch.relu(self.dense1(x))
        x = torch.relu(self.dense2(x))
        return self.dense3(x)


net = LeNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)

for epoch in range(12):
    net.train()
    for batch, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(batch), labels)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        batch, labels = next(iter(test_loader))
        accuracy = (net(batch).argmax(1) == labels).float().mean().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f} accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
