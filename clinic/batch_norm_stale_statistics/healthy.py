import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--lr", type=float, default=3e-3)
parser.add_argument("--bn-momentum", type=float, default=0.1)
args = parser.parse_args()
torch.manual_seed(5)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.BatchNorm2d(width, momentum=args.bn_momentum)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return x + self.conv(torch.relu(self.norm(x)))


class ResNet(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.block1 = Residual(width)
        self.block2 = Residual(width)
        self.norm = nn.BatchNorm2d(width, momentum=args.bn_momentum)
        self.head = nn.Linear(width * 16, 10)

    def forward(self, x):
        x = self.block2(self.block1(self.stem(x)))
        return self.head(torch.relu(self.norm(x)).flatten(1))


images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8)
images = (images - images.mean()) / images.std()
dataset = TensorDataset(images, torch.tensor(labels))
train, test = random_split(dataset, [1397, 400])
model, criterion = ResNet(), nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)

for epoch in range(args.epochs):
    model.train()
    for x, y in DataLoader(train, batch_size=64, shuffle=True):
        loss = criterion(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    model.eval()
    hits, total_loss = 0, 0.0
    with torch.no_grad():
        for x, y in DataLoader(test, batch_size=200):
            output = model(x)
            total_loss += criterion(output, y).item() * len(y)
            hits += (output.argmax(1) == y).sum().item()
    print(f"[{epoch}] test loss {total_loss / len(test):.3f} acc {hits / len(test):.3f}")

print(f"test accuracy {hits / len(test):.3f}")
