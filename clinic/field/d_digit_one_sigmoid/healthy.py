# first try with digits: one hidden layer, pixels scaled to -1..1
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 11
torch.manual_seed(SEED)

digits = load_digits()
images = np.kron(digits.images, np.ones((1, 2, 2)))          # 16 x 16
images = np.floor(images / 16.0 * 255.0).reshape(len(images), -1) / 255.0 * 2.0 - 1.0
order = np.random.RandomState(SEED).permutation(len(images))
images, labels = images[order], digits.target[order]

n_train = 1400
x_train = torch.tensor(images[:n_train], dtype=torch.float32)
x_test = torch.tensor(images[n_train:], dtype=torch.float32)
y_train = torch.tensor(labels[:n_train], dtype=torch.long)
y_test = torch.tensor(labels[n_train:], dtype=torch.long)

train_loader = DataLoader(
    TensorDataset(x_train, y_train), batch_size=32, shuffle=True,
    generator=torch.Generator().manual_seed(SEED),
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(256, 64)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return self.out(x)            # scores; the softmax is in the loss


net = Net()
opt = torch.optim.Adam(net.parameters())

for epoch in range(10):
    net.train()
    running = 0.0
    for xb, yb in train_loader:
        loss = F.cross_entropy(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        running += loss.item()

    net.eval()
    with torch.no_grad():
        correct = (net(x_test).argmax(dim=1) == y_test).float().mean().item()
    print("epoch %d: loss %.4f, acc %.4f" % (epoch + 1, running / len(train_loader), correct))

print("test accuracy %.4f" % correct)
