"""Small colour pictures (uint8, 3 x 16 x 16), ten classes: two conv blocks and a dense head."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 4
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)


def make_pictures():
    digits = load_digits()
    shape = np.kron(digits.images / 16.0, np.ones((2, 2)))[:, None]          # n x 1 x 16 x 16
    n = len(shape)
    ink = rng.uniform(140, 255, size=(n, 3, 1, 1))
    paper = rng.uniform(0, 110, size=(n, 3, 1, 1))
    pictures = shape * ink + (1 - shape) * paper + rng.normal(0, 8, size=(n, 3, 16, 16))
    return pictures.clip(0, 255).astype(np.uint8), digits.target


pictures, labels = make_pictures()
order = rng.permutation(len(labels))
pictures, labels = torch.from_numpy(pictures[order]), torch.from_numpy(labels[order]).long()
x_train, y_train = pictures[:1400], labels[:1400]
x_test, y_test = pictures[1400:], labels[1400:]


def to_input(batch):
    return batch.float() / 127.5 - 1.0


class ConvNet(nn.Module):
    def __init__(self, drop=0.2):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv4 = nn.Conv2d(32, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.drop1 = nn.Dropout(drop)
        self.drop2 = nn.Dropout(drop)
        self.drop3 = nn.Dropout(drop)
        self.dense1 = nn.Linear(32 * 4 * 4, 128)
        self.dense2 = nn.Linear(128, 128)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.drop1(self.pool(x))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = self.drop2(self.pool(x))
        x = x.flatten(1)
        x = F.relu(self.dense1(x))
        x = F.relu(self.dense2(x))
        x = self.drop3(x)
        return F.log_softmax(self.out(x), dim=1)


model = ConvNet()
loss_function = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters())
batch_size = 64


def accuracy(x, y):
    model.eval()
    with torch.no_grad():
        return (model(to_input(x)).argmax(1) == y).float().mean().item()


for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(len(x_train)).split(batch_size):
        optimizer.zero_grad()
        loss = loss_function(model(to_input(x_train[rows])), y_train[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1} loss {np.mean(losses):.4f} test {accuracy(x_test, y_test):.3f}")

print(f"test accuracy {accuracy(x_test, y_test):.3f}")
