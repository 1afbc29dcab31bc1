"""A small convolutional net learns handwritten digits from an endless stream of batches."""

import itertools

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STEPS = 250


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 3, padding=1)
        self.hidden = nn.Linear(12 * 16, 48)
        self.out = nn.Linear(48, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.out(F.relu(self.hidden(x.flatten(1))))


def main():
    torch.manual_seed(21)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels))
    train, test = order[:1400], order[1400:]
    train_loader = DataLoader(TensorDataset(images[train], labels[train]), 40, shuffle=True)

    net = DigitNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    batches = itertools.chain.from_iterable(itertools.repeat(train_loader))
    for step in range(1, STEPS + 1):
        x, y = next(batches)
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            net.eval()
            with torch.no_grad():
                scores = net(images[test])
            accuracy = (scores.argmax(dim=1) == labels[test]).float().mean().item()
            net.train()
            print(f"step {step}: loss {loss.item():.3f}, test accuracy {accuracy:.3f}")
    print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
