import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, DataLoader

SEED = 17
np.random.seed(SEED)
torch.manual_seed(SEED)


class ContactMaps(Dataset):
    """Square symmetric maps, 56 x 56; the positive ones hold a patch of contacts with the loop at 18-23."""

    def __init__(self, count):
        self.labels = np.random.randint(0, 2, size=count)
        self.maps = np.empty((count, 56, 56), dtype=np.float32)
        for k, label in enumerate(self.labels):
            m = np.random.randn(56, 56)
            m = (m + m.T) / np.sqrt(2)
            if label:
                begin, length = np.random.randint(0, 30), np.random.randint(12, 24)
                m[18:24, begin:begin + length] += 1.0
                m[begin:begin + length, 18:24] += 1.0
            self.maps[k] = m

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        return torch.from_numpy(self.maps[k]), torch.tensor([float(self.labels[k])])


class MapNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(56, 40, 3, padding=1)
        self.d1 = nn.Linear(40, 100)
        self.drop = nn.Dropout(0.6)
        self.d2 = nn.Linear(100, 50)
        self.last = nn.Linear(50, 1)

    def forward(self, m):
        h = F.relu(self.conv(m)).permute(0, 2, 1)   # batch, position, channel
        h = self.drop(F.relu(self.d1(h)))
        h = F.relu(self.d2(h))
        h = h.amax(dim=1)                           # over positions
        return torch.sigmoid(self.last(h))


train_set, test_set = ContactMaps(1200), ContactMaps(300)
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=100)

net = MapNet()
adam = torch.optim.Adam(net.parameters(), lr=1e-3)


def evaluate():
    net.eval()
    good = 0
    with torch.no_grad():
        for m, t in test_loader:
            good += ((net(m) > 0.5) == (t > 0.5)).sum().item()
    return good / len(test_set)


for epoch in range(5):
    net.train()
    total = 0.0
    for m, t in train_loader:
        p = net(m)
        loss = F.binary_cross_entropy(p, t)
        adam.zero_grad()
        loss.backward()
        adam.step()
        total += loss.item()
    print("epoch %d: loss %.4f, accuracy %.4f" % (epoch + 1, total / len(train_loader), evaluate()))

print("test accuracy %.4f" % evaluate())
