import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn import datasets

SEED = 3
BATCH = 50
EPOCHS = 12

np.random.seed(SEED)
torch.manual_seed(SEED)

raw = datasets.load_digits()
perm = np.random.permutation(len(raw.target))
pixels = raw.images[perm] / 16.0
target = raw.target[perm]
n_train = 1300
mu, sigma = pixels[:n_train].mean(), pixels[:n_train].std()
pixels = (pixels - mu) / sigma
x_train = torch.from_numpy(pixels[:n_train, None]).float()
x_test = torch.from_numpy(pixels[n_train:, None]).float()
y_train = torch.from_numpy(target[:n_train])
y_test = torch.from_numpy(target[n_train:])


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3)
        self.fc1 = nn.Linear(24 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.conv2(x))
        x = x.reshape(len(x), -1)
        x = F.dropout(x, p=0.25)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.5)
        return self.fc2(x)


net = ConvNet()
opt = torch.optim.Adam(net.parameters(), lr=0.003)

for epoch in range(EPOCHS):
    net.train()
    order = torch.randperm(n_train)
    running = 0.0
    for start in range(0, n_train, BATCH):
        batch = order[start : start + BATCH]
        opt.zero_grad()
        loss = F.cross_entropy(net(x_train[batch]), y_train[batch])
        loss.backward()
        opt.step()
        running += loss.item() * len(batch)
    net.eval()
    with torch.no_grad():
        scores = net(x_test)
        val = F.cross_entropy(scores, y_test).item()
    print(f"epoch {epoch + 1:2d}  loss {running / n_train:.4f}  val_loss {val:.4f}")

net.eval()
with torch.no_grad():
    accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
