"""Handwritten digits with a two-layer network and a log-softmax output."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 3
torch.manual_seed(SEED)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, random_state=SEED, stratify=y
)
mean, std = X_train.mean(), X_train.std()
X_train, X_test = (torch.tensor((a - mean) / std, dtype=torch.float32) for a in (X_train, X_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.scores = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return F.log_softmax(self.scores(x), dim=1)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def test():
    net.eval()
    correct = 0
    with torch.no_grad():
        for image, label in zip(X_test.split(1), y_test.split(1)):
            correct += (net(image).argmax(dim=1) == label).sum().item()
    return correct / len(y_test)


for epoch in range(12):
    net.train()
    total = 0.0
    for rows in torch.randperm(len(X_train)).split(32):
        optimizer.zero_grad()
        loss = F.nll_loss(net(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}, loss {total / len(X_train):.4f}, accuracy {test():.3f}")

print(f"test accuracy {test():.3f}")
