# binary classification of collision events (28 features)
import numpy as np
import torch
import torch.nn as nn

SEED = 21
torch.manual_seed(SEED)
rng = np.random.RandomState(SEED)


def events(n):
    """Two kinds of events; what tells them apart are products of features."""
    x = rng.randn(n, 28)
    score = 0.8 * x[:, 0] + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) - 0.8 + 0.7 * x[:, 4] - 0.7 * x[:, 5]
    y = (score + 0.3 * rng.randn(n) > 0).astype(np.float32)
    x = x * rng.uniform(0.5, 3, 28) + rng.uniform(-1, 1, 28)
    return x.astype(np.float32), y


x, y = events(3400)
x_train, y_train = x[:2600], y[:2600]
x_test, y_test = x[2600:], y[2600:]
mu, sd = x_train.mean(0), x_train.std(0)
x_train = torch.from_numpy((x_train - mu) / sd)
x_test = torch.from_numpy((x_test - mu) / sd)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)


class Classifier(nn.Module):

    def __init__(self, n_in=28, widths=(28, 200, 300, 300, 150), drop=0.2):
        super(Classifier, self).__init__()
        self.hidden = nn.ModuleList()
        for w in widths:
            self.hidden.append(nn.Linear(n_in, w))
            n_in = w
        self.drop = nn.Dropout(drop)
        self.out = nn.Linear(n_in, 1)

    def forward(self, x):
        for layer in self.hidden:
            x = self.drop(torch.relu(layer(x)))
        return torch.sigmoid(self.out(x)).squeeze(1)


def binary_crossentropy(p, t):
    p = torch.clamp(p, 1e-7, 1 - 1e-7)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


net = Classifier()
opt = torch.optim.Adam(net.parameters())

BATCH = 32
for epoch in range(8):
    net.train()
    perm = torch.randperm(len(x_train))
    running = 0.
    for i in range(0, len(perm), BATCH):
        idx = perm[i:i + BATCH]
        opt.zero_grad()
        loss = binary_crossentropy(net(x_train[idx]), y_train[idx])
        loss.backward()
        opt.step()
        running += loss.item() * len(idx)
    net.eval()
    with torch.no_grad():
        p = net(x_test)
        acc = ((p > 0.5).float() == y_test).float().mean().item()
    print(epoch, 'loss', round(running / len(perm), 4), 'val acc', round(acc, 3))

print('test accuracy %.3f' % acc)
