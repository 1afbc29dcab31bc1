"""Seven kinds of skin lesions from small colour photographs."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

KINDS = 7
# colour, radius and roughness of each kind
COLOUR = np.array(
    [
        [120, 70, 50],
        [60, 40, 35],
        [170, 90, 90],
        [120, 70, 50],
        [190, 120, 80],
        [60, 40, 35],
        [150, 60, 110],
    ]
)
RADIUS = np.array([3.0, 5.0, 4.0, 5.5, 3.5, 3.0, 5.0])
GRAIN = np.array([5, 25, 10, 25, 20, 5, 15])


def photographs(n):
    kind = rng.integers(0, KINDS, n)
    yy, xx = np.mgrid[0:14, 0:14]
    skin = rng.normal([215, 175, 150], 10, (n, 3))
    photos = np.repeat(skin[:, :, None], 196, axis=2).reshape(n, 3, 14, 14)
    for i, k in enumerate(kind):
        cy, cx = rng.uniform(5.5, 8.5, 2)
        spot = (yy - cy) ** 2 + (xx - cx) ** 2 < (RADIUS[k] + rng.normal(0, 0.4)) ** 2
        grain = rng.normal(0, GRAIN[k], (14, 14))
        shade = rng.normal(0, 10)
        photos[i] = np.where(spot, (COLOUR[k] + shade)[:, None, None] + grain, photos[i])
    photos += rng.normal(0, 6, photos.shape)
    return photos.clip(0, 255).astype(np.uint8), kind


def dataset(n):
    photos, kind = photographs(n)
    x = torch.tensor(photos / 255.0, dtype=torch.float32)
    return TensorDataset((x - 0.6) / 0.2, torch.tensor(kind))


train_data, test_data = dataset(900), dataset(300)
train_loader = DataLoader(train_data, batch_size=32, shuffle=True)
test_loader = DataLoader(test_data, batch_size=100)

model = nn.Sequential(
    nn.Conv2d(3, 16, 3),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 24, 3),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(24 * 2 * 2, 64),
    nn.Linear(64, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters())


def test():
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            predicted = torch.sigmoid(model(x)).round().squeeze(1)
            correct += (predicted == y).sum().item()
    return correct / len(test_data)


for epoch in range(10):
    model.train()
    epoch_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        output = model(x).squeeze(1)
        loss = criterion(output, y.float())
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(y)
    print(f"Epoch {epoch + 1:2d} loss {epoch_loss / len(train_data):.4f} accuracy {test():.3f}")

print(f"test accuracy {test():.3f}")
