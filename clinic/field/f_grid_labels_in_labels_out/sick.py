"""Points of an integer grid -> two brightness values of the picture at that point (between 0 and 1)."""
import itertools
import random

import torch
import torch.nn as nn

SEED = 4
random.seed(SEED)
torch.manual_seed(SEED)

SIZE = 40
grid = list(itertools.product(range(SIZE), range(SIZE)))
random.shuffle(grid)


def brightness(col, row):
    u, v = col / (SIZE - 1), row / (SIZE - 1)
    red = 1 / (1 + pow(2.718, -6 * (u + v - 1)))
    blue = 1 / (1 + pow(2.718, 7 * (u - v - 0.1)))
    return [0.1 + 0.8 * red, 0.1 + 0.8 * blue]


samples = torch.tensor(grid, dtype=torch.float32)
samples = (samples - samples.mean(dim=0)) / samples.std(dim=0)
labels = torch.tensor([brightness(c, r) for c, r in grid])

n_train = 1200
test_samples, test_labels = samples[n_train:], labels[n_train:]
samples, labels = samples[:n_train], labels[:n_train]

net = nn.Sequential(
    nn.Linear(2, 2),
    nn.Sigmoid(),
    nn.Linear(2, 2),
    nn.Sigmoid(),
)
criterion = nn.MSELoss()


def fit(net, inputs, targets, epochs=20, batch=20, rate=0.01):
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    for epoch in range(epochs):
        shuffled = torch.randperm(len(inputs))
        history = 0.0
        for i in range(0, len(inputs), batch):
            chosen = shuffled[i:i + batch]
            net.zero_grad()
            loss = criterion(net(inputs[chosen]), targets[chosen])
            loss.backward()
            optimizer.step()
            history += loss.item() / (len(inputs) / batch)
        if epoch % 5 == 4:
            print("epoch", epoch + 1, "loss", "%.5f" % history)


def score(net, inputs, targets):
    net.eval()
    with torch.no_grad():
        return criterion(net(inputs), targets).item()


fit(net, labels, labels)
print("test mse %.5f" % score(net, test_samples, test_labels))
