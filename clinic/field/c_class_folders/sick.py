"""Handwritten digits stored in one folder per class; training through a loader, testing 'by hand'."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

SEED = 9
torch.manual_seed(SEED)

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

# what would lie on the disk: {folder: list of images}
images, digits = load_digits(return_X_y=True)
generator = torch.Generator().manual_seed(SEED)
where = torch.randperm(len(images), generator=generator)
train_folders = {name: [] for name in NAMES}
test_folders = {name: [] for name in NAMES}
for place, i in enumerate(where.tolist()):
    folders = train_folders if place < 1300 else test_folders
    folders[NAMES[digits[i]]].append(images[i])


class FolderDataset(Dataset):
    """Like torchvision's ImageFolder: the classes are the sorted names of the folders."""

    def __init__(self, folders):
        self.classes = sorted(folders)
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        self.samples = [(image, self.class_to_idx[name]) for name in self.classes for image in folders[name]]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, k):
        image, label = self.samples[k]
        return to_tensor(image), label


def to_tensor(image):
    return (torch.tensor(image, dtype=torch.float32).view(1, 8, 8) - 4.88) / 6.02


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


dataset = FolderDataset(train_folders)
loader = DataLoader(dataset, batch_size=32, shuffle=True)

x_test, y_test = [], []
for label, name in enumerate(test_folders):
    for image in test_folders[name]:
        x_test.append(to_tensor(image))
        y_test.append(label)
x_test, y_test = torch.stack(x_test), torch.tensor(y_test)

model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

for epoch in range(10):
    model.train()
    seen = right = 0
    for x, y in loader:
        optimizer.zero_grad()
        outputs = model(x)
        loss = criterion(outputs, y)
        loss.backward()
        optimizer.step()
        seen += len(y)
        right += (outputs.argmax(1) == y).sum().item()

    model.eval()
    with torch.no_grad():
        outputs = model(x_test)
        val_loss = criterion(outputs, y_test).item()
        val_acc = (outputs.argmax(1) == y_test).float().mean().item()
    print(f"[{epoch}] train acc {right / seen:.3f} test loss {val_loss:.3f} test acc {val_acc:.3f}")

print(f"test accuracy {val_acc:.4f}")
