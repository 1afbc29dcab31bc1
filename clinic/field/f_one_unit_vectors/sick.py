# Binary decision on random vectors: is the weighted sum of the entries above its usual value?
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SEED = 11
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

DIM = 20


def vectors(n, w):
    x = rng.uniform(-1.7, 1.7, size=(n, DIM)).astype("float32")
    y = (x @ w + 0.3 * rng.normal(size=n) > 0).astype("float32")
    return torch.tensor(x), torch.tensor(y).unsqueeze(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(DIM, 60)
        self.fc2 = nn.Linear(60, 50)
        self.out = nn.Linear(50, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.softmax(self.out(x), dim=1)


def main():
    w = rng.normal(size=DIM)
    x_train, y_train = vectors(1200, w)
    x_test, y_test = vectors(600, w)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=8, shuffle=True,
                        generator=torch.Generator().manual_seed(SEED))

    net = Net()
    opt = torch.optim.Adam(net.parameters())
    bce = nn.BCELoss()

    for epoch in range(5):
        net.train()
        total, seen = 0.0, 0
        for xb, yb in loader:
            opt.zero_grad()
            p = net(xb)
            loss = bce(p, yb)
            loss.backward()
            opt.step()
            total += loss.item() * len(xb)
            seen += len(xb)
        net.eval()
        with torch.no_grad():
            p = net(x_test)
            acc = ((p > 0.5).float() == y_test).float().mean().item()
        print("epoch", epoch, "loss %.4f" % (total / seen), "val acc %.3f" % acc, "first outputs", p[:4, 0].numpy().round(2))

    print("test accuracy %.4f" % acc)


if __name__ == "__main__":
    main()
