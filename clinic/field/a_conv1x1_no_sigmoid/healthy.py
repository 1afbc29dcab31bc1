"""Scratched or clean? Grey images of a surface, a tiny convolutional network."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SEED = 3
torch.manual_seed(SEED)


class Surfaces(Dataset):
    """Noisy tiles of 20 x 20; on every second one there is a bright line."""

    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.images = torch.randn(count, 1, 20, 20, generator=g)
        self.labels = (torch.rand(count, generator=g) < 0.5).float()
        rows = torch.randint(4, 16, (count,), generator=g)
        for image, label, row in zip(self.images, self.labels, rows):
            if label:
                image[0, row] += 3.0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


train_loader = DataLoader(Surfaces(800, SEED), batch_size=32, shuffle=True)
test_loader = DataLoader(Surfaces(300, SEED + 1000), batch_size=100)

model = nn.Sequential(
    nn.Conv2d(1, 8, kernel_size=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 20 * 20, 64),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(64, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-4)

for epoch in range(8):
    model.train()
    running_loss = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(images).squeeze(1)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()

    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in test_loader:
            predicted = (model(images).squeeze(1) > 0).float()
            correct += (predicted == labels).sum().item()
            total += len(labels)
    print(
        f"epoch {epoch}: loss {running_loss / len(train_loader):.4f}, accuracy {correct / total:.3f}"
    )

print(f"test accuracy {correct / total:.3f}")
