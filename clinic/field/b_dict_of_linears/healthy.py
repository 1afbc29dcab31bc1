import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

SEED = 2
torch.manual_seed(SEED)
rng = np.random.RandomState(SEED)

data = load_digits()
order = rng.permutation(len(data.target))
images = ((data.data - 4.88) / 6.02).astype("float32")[order]
labels = data.target[order]
train_x, train_y = torch.from_numpy(images[:1300]), torch.from_numpy(labels[:1300])
test_x, test_y = torch.from_numpy(images[1300:]), torch.from_numpy(labels[1300:])


class Net(nn.Module):
    """Fully connected network whose layers are looked up by name."""

    def __init__(self, sizes):
        super().__init__()
        self.order = []
        self.layers = nn.ModuleDict()
        for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
            name = "fc%d" % i
            self.order.append(name)
            self.layers[name] = nn.Linear(a, b)
        self.out = nn.Linear(sizes[-1], 10)

    def forward(self, x):
        for name in self.order:
            x = torch.relu(self.layers[name](x))
        return self.out(x)


net = Net([64, 32, 24, 16])
criterion = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)

batch = 50
for epoch in range(20):
    net.train()
    perm = torch.randperm(len(train_x))
    total = 0.0
    for i in range(0, len(perm), batch):
        idx = perm[i : i + batch]
        opt.zero_grad()
        loss = criterion(net(train_x[idx]), train_y[idx])
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 4:
        net.eval()
        with torch.no_grad():
            acc = (net(test_x).argmax(1) == test_y).float().mean().item()
        print("epoch", epoch + 1, "loss %.4f" % (total / len(perm)), "acc %.3f" % acc)

net.eval()
with torch.no_grad():
    acc = (net(test_x).argmax(1) == test_y).float().mean().item()
print("test accuracy %.3f" % acc)
