import csv, io

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 99
torch.manual_seed(SEED)
np.random.seed(SEED)


def write_csv():
    """The competition's train.csv: label, then 784 pixel values 0..255."""
    digits = load_digits()
    img = torch.tensor(digits.images, dtype=torch.float32)[:, None]
    img = F.interpolate(img, size=28, mode='bilinear').flatten(1) * (255 / 16)
    f = io.StringIO()
    w = csv.writer(f)
    for label, row in zip(digits.target, img.int().numpy()):
        w.writerow([label, *row])
    f.seek(0)
    return f


table = np.loadtxt(write_csv(), delimiter=',', dtype=np.float32)
np.random.shuffle(table)

X = table[:, 1:]
Y = np.eye(10, dtype=np.float32)[table[:, 0].astype(int)]     # one-hot

X_train, Y_train = torch.from_numpy(X[:1400]), torch.from_numpy(Y[:1400])
X_test, Y_test = torch.from_numpy(X[1400:]), torch.from_numpy(Y[1400:])

net = nn.Sequential(
    nn.Linear(784, 100),
    nn.Linear(100, 50),
    nn.ReLU(),
    nn.Linear(50, 10),
    nn.Sigmoid(),
)

loss_fn = nn.CrossEntropyLoss()
optim = torch.optim.SGD(net.parameters(), lr=1e-4)

train = torch.utils.data.TensorDataset(X_train, Y_train)
loader = torch.utils.data.DataLoader(train, batch_size=32, shuffle=True)

for epoch in range(10):
    net.train()
    cost = 0
    for xb, yb in loader:
        optim.zero_grad()
        out = net(xb)
        loss = loss_fn(out, yb)
        loss.backward()
        optim.step()
        cost += loss.item() / len(loader)
    net.eval()
    with torch.no_grad():
        hit = net(X_test).argmax(1) == Y_test.argmax(1)
    print('Epoch', epoch + 1, 'cost = {:.4f}'.format(cost), 'val = {:.3f}'.format(hit.float().mean().item()))

print('test accuracy {:.3f}'.format(hit.float().mean().item()))
