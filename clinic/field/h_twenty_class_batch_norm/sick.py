#!/usr/bin/env python
# Twenty classes of small pictures; VGG-like net with batch normalisation.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, DataLoader

SEED = 13
N_CLASSES = 20
EPOCHS = 6


class Pictures(Dataset):
    """Each class has an emblem; a picture shows it shifted, dimmed and noisy."""

    def __init__(self, emblems, n, g):
        self.y = torch.randint(N_CLASSES, (n,), generator=g)
        shift = torch.randint(-2, 3, (n, 2), generator=g)
        light = 0.7 + 0.6 * torch.rand(n, 1, 1, 1, generator=g)
        x = torch.stack([torch.roll(emblems[c], (int(a), int(b)), (1, 2)) for c, (a, b) in zip(self.y, shift)])
        self.x = (x * light + 0.8 * torch.randn(x.shape, generator=g)) * 0.2

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class ConvBN(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.01)

    def forward(self, x):
        return F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1 = ConvBN(3, 16)
        self.stage2 = ConvBN(16, 32)
        self.stage3 = ConvBN(32, 64)
        self.stage4 = ConvBN(64, 128)
        self.dense1 = nn.Linear(128, 128)
        self.dense2 = nn.Linear(128, 128)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(128, N_CLASSES)

    def forward(self, x):
        x = self.stage4(self.stage3(self.stage2(self.stage1(x)))).flatten(1)
        x = self.drop(F.relu(self.dense1(x)))
        x = self.drop(F.relu(self.dense2(x)))
        return self.head(x)


if __name__ == "__main__":
    torch.manual_seed(SEED)
    g = torch.Generator().manual_seed(SEED)
    emblems = F.interpolate(torch.randn(N_CLASSES, 3, 6, 6, generator=g), size=16, mode="bilinear") * 1.5
    train_data, val_data = Pictures(emblems, 800, g), Pictures(emblems, 400, g)
    train_loader = DataLoader(train_data, batch_size=32, shuffle=True, generator=g)
    val_loader = DataLoader(val_data, batch_size=100)

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    for epoch in range(EPOCHS):
        net.train()
        seen = good = 0
        for x, y in train_loader:
            optimizer.zero_grad()
            scores = net(x)
            loss = F.cross_entropy(scores, y)
            loss.backward()
            optimizer.step()
            good += (scores.argmax(1) == y).sum().item()
            seen += len(y)

        net.eval()
        val_loss = val_good = 0
        with torch.no_grad():
            for x, y in val_loader:
                scores = net(x)
                val_loss += F.cross_entropy(scores, y, reduction="sum").item()
                val_good += (scores.argmax(1) == y).sum().item()
        print("epoch %d  acc %.3f  val_loss %.3f  val_acc %.3f"
              % (epoch, good / seen, val_loss / len(val_data), val_good / len(val_data)))

    print("test accuracy %.3f" % (val_good / len(val_data)))
