"""Solid or hollow? Classify small RGB volumes with a 3-D CNN."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, IterableDataset

SEED = 3
SIZE = 16
EPOCHS = 4

np.random.seed(SEED)
torch.manual_seed(SEED)


def make_volumes(n, rng):
    grid = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"), -1)
    volumes = rng.normal(0, 1.0, (n, SIZE, SIZE, SIZE, 3)).astype("float32")
    labels = rng.integers(0, 2, n)
    for i in range(n):
        centre = rng.uniform(5, SIZE - 6, 3)
        dist = np.sqrt(((grid - centre) ** 2).sum(-1))
        shape = dist < 3.8 if labels[i] == 0 else (dist < 4.6) & (dist > 3.2)
        volumes[i] += 2.0 * shape[..., None]
    return volumes, labels


class VolumeGenerator(IterableDataset):
    """Shuffles the volumes and yields them, six at a time."""

    def __init__(self, volumes, labels, batch=6, shuffle=True):
        self.volumes, self.labels = volumes, labels
        self.batch, self.shuffle = batch, shuffle
        self.rng = np.random.default_rng(SEED)

    def __iter__(self):
        order = np.arange(len(self.labels))
        if self.shuffle:
            self.rng.shuffle(order)
        for start in range(0, len(order), self.batch):
            take = order[start:start + self.batch]
            x = torch.from_numpy(self.volumes[take]).permute(0, 4, 1, 2, 3)
            yield x.contiguous(), torch.from_numpy(self.labels[take])


class Net3D(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv3d(3, 8, 3, stride=2, padding=1)
        self.conv2 = nn.Conv3d(8, 16, 3, stride=2, padding=1)
        self.conv3 = nn.Conv3d(16, 32, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 8, 32)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, x):
        x = x.view(-1, 3, SIZE, SIZE, SIZE)
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.conv3(x))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


rng = np.random.default_rng(SEED)
x_train, y_train = make_volumes(432, rng)
x_test, y_test = make_volumes(216, rng)
mean, std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

train_loader = DataLoader(VolumeGenerator(x_train, y_train), batch_size=12)
test_loader = DataLoader(VolumeGenerator(x_test, y_test, shuffle=False), batch_size=12)

model = Net3D()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

for epoch in range(EPOCHS):
    model.train()
    losses = []
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y.view(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in test_loader:
            right += (model(x).argmax(1) == y.view(-1)).sum().item()
    print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}  accuracy {right / len(y_test):.3f}")

print(f"test accuracy {right / len(y_test):.3f}")
