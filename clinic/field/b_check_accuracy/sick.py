"""Deep convolutional net on small digit images, trained by iterations with a regular accuracy check."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
MAX_ITERATIONS = 180
CHECK_EVERY = 60


def load_data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    images, labels = images[order], labels[order]
    mean, std = images[:1400].mean(), images[:1400].std()
    images = (images - mean) / std
    return TensorDataset(images[:1400], labels[:1400]), TensorDataset(images[1400:], labels[1400:])


def block(c_in, c_out, stride=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
    )


class DeepNet(nn.Module):
    def __init__(self):
        super().__init__()
        blocks = [block(1, 16), block(16, 16, stride=2)]
        blocks += [block(16, 16) for _ in range(7)]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(16 * 16, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


def check_accuracy(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / total


def main():
    torch.manual_seed(SEED)
    train_set, test_set = load_data()
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=200)
    model = DeepNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    t = 0
    model.train()
    while t < MAX_ITERATIONS:
        for x, y in train_loader:
            if t >= MAX_ITERATIONS:
                break
            if t % CHECK_EVERY == 0:
                print(f"iteration {t}: accuracy {check_accuracy(model, test_loader):.3f}")
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            t += 1

    print(f"test accuracy {check_accuracy(model, test_loader):.3f}")


main()
