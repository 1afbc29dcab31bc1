"""Hand-written digits from a table: 64 pixels and a last column with the label."""
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

SEED = 11
torch.manual_seed(SEED)
np.random.seed(SEED)

digits = load_digits()
table = np.column_stack([digits.data, digits.target])
np.random.shuffle(table)


class TableDataset(Dataset):
    def __init__(self, rows):
        self.pixels = torch.tensor(rows[:, :-1] / 8.0 - 1.0, dtype=torch.float32)
        self.labels = torch.tensor(rows[:, -1:], dtype=torch.long)

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        return self.pixels[i].view(1, 8, 8), self.labels[i]


train_loader = DataLoader(TableDataset(table[:1300]), batch_size=50, shuffle=True)
test_loader = DataLoader(TableDataset(table[1300:]), batch_size=100)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.fc1 = nn.Linear(24 * 2 * 2, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = x.flatten(1)
        return self.fc2(self.relu(self.fc1(x)))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=0.002)

for epoch in range(12):
    net.train()
    running = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        outputs = net(images)
        loss = criterion(outputs, labels.squeeze(1))
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch + 1} loss {running / len(train_loader):.4f}")

net.eval()
correct = total = 0
with torch.no_grad():
    for images, labels in test_loader:
        predicted = net(images).argmax(1)
        correct += (predicted == labels.view(-1)).sum().item()
        total += len(images)
print(f"test accuracy {correct / total:.3f}")
