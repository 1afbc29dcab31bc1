# Digits with a convolutional network written the low-level way: own weights, functional calls.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 3
torch.manual_seed(SEED)


def weight(*shape):
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(*shape), std=0.1, a=-0.2, b=0.2))


def bias(n):
    return nn.Parameter(torch.full((n,), 0.1))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.w_conv1, self.b_conv1 = weight(16, 1, 3, 3), bias(16)
        self.w_conv2, self.b_conv2 = weight(32, 16, 3, 3), bias(32)
        self.w_fc1, self.b_fc1 = weight(64, 32 * 2 * 2), bias(64)
        self.w_fc2, self.b_fc2 = weight(10, 64), bias(10)

    def forward(self, x):
        h = F.relu(F.conv2d(x, self.w_conv1, self.b_conv1, padding=1))
        h = F.max_pool2d(h, 2)
        h = F.relu(F.conv2d(h, self.w_conv2, self.b_conv2, padding=1))
        h = F.max_pool2d(h, 2)
        h = F.relu(F.linear(h.flatten(1), self.w_fc1, self.b_fc1))
        return F.relu(F.linear(h, self.w_fc2, self.b_fc2))


data = load_digits()
images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1)
images = (images - 4.9) / 6.0
labels = torch.tensor(data.target)
split = torch.Generator().manual_seed(SEED)
train_set, test_set = random_split(TensorDataset(images, labels), [1300, 497], generator=split)
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=100)

net = ConvNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


@torch.no_grad()
def accuracy(loader):
    net.eval()
    hits = sum((net(x).argmax(1) == y).sum().item() for x, y in loader)
    return hits / len(loader.dataset)


step = 0
for epoch in range(12):
    net.train()
    for x, y in train_loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print("step %d loss %.4f" % (step, loss.item()))
        step += 1
    if epoch % 3 == 2:
        print("epoch %d accuracy %.3f" % (epoch, accuracy(test_loader)))

print("test accuracy %.3f" % accuracy(test_loader))
