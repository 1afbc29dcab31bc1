import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset

SEED = 10


class DigitImages(Dataset):
    def __init__(self, images, targets, transform=None):
        self.images, self.targets, self.transform = images, targets, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.targets[index]


class Noise:
    def __init__(self, sigma):
        self.sigma = sigma

    def __call__(self, image):
        return image + self.sigma * torch.randn_like(image)


class Erase:
    """Blanks a random rectangle of up to `size` pixels a side."""

    def __init__(self, size, value=2.0):
        self.size, self.value = size, value

    def __call__(self, image):
        h = int(torch.randint(self.size // 2, self.size + 1, ()))
        w = int(torch.randint(self.size // 2, self.size + 1, ()))
        top = int(torch.randint(0, 9 - h, ()))
        left = int(torch.randint(0, 9 - w, ()))
        image = image.clone()
        image[:, top:top + h, left:left + w] = self.value
        return image


class Compose:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, image):
        for step in self.steps:
            image = step(image)
        return image


augment = Compose([Noise(1.5), Erase(7)])


def get_data():
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    x = (x - 4.88) / 6.02
    y = torch.tensor(digits.target)
    tr, te = train_test_split(range(len(y)), test_size=400, stratify=y, random_state=SEED)
    return DigitImages(x[tr], y[tr], augment), DigitImages(x[te], y[te])


def get_model():
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 64), nn.ReLU(),
        nn.Linear(64, 10))
    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            nn.init.zeros_(m.bias)
    nn.init.xavier_normal_(model[-1].weight)
    return model


def test(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, targets in loader:
            correct += (model(images).argmax(1) == targets).sum().item()
            total += len(targets)
    return correct / total


if __name__ == "__main__":
    torch.manual_seed(SEED)
    train_data, test_data = get_data()
    train_loader = DataLoader(train_data, batch_size=32, shuffle=True)
    test_loader = DataLoader(test_data, batch_size=200)
    model = get_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-5)
    for epoch in range(1, 7):
        model.train()
        running = 0.0
        for images, targets in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), targets)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch}  train loss {running / len(train_loader):.3f}  test {test(model, test_loader):.3f}")
    print(f"test accuracy {test(model, test_loader):.4f}")
