# MNIST-style convnet written out by hand: parameters as plain tensors, no nn.Module.
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 7
EPOCHS = 6
BATCH = 50
RATE = 0.1
L2 = 1e-5

gen = torch.Generator().manual_seed(SEED)


def he(*shape):
    fan_in = int(np.prod(shape[1:]))
    return (torch.randn(*shape, generator=gen) * (2.0 / fan_in) ** 0.5).requires_grad_()


def bias(n):
    return torch.zeros(n, requires_grad=True)


W1, b1 = he(32, 1, 5, 5), bias(32)
W2, b2 = he(64, 32, 3, 3), bias(64)
W3, b3 = he(128, 64 * 2 * 2), bias(128)
W4, b4 = he(10, 128), bias(10)
params = [W1, b1, W2, b2, W3, b3, W4, b4]


def network(x):
    h = F.max_pool2d(F.relu(F.conv2d(x, W1, b1, padding=2)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, W2, b2, padding=1)), 2)
    h = F.relu(F.linear(h.flatten(1), W3, b3))
    return F.linear(h, W4, b4)


def cost(logits, labels):
    fit = F.cross_entropy(logits, labels)
    penalty = sum((w ** 2).sum() for w in (W1, W2, W3, W4))
    return fit + L2 * penalty


digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels), generator=gen)
train, test = order[:1300], order[1300:]
images = (images - images[train].mean()) / images[train].std()

optimizer = torch.optim.SGD(params, lr=RATE)

for epoch in range(EPOCHS):
    shuffled = train[torch.randperm(len(train), generator=gen)]
    costs = []
    for batch in shuffled.split(BATCH):
        c = cost(network(images[batch]), labels[batch])
        optimizer.zero_grad()
        c.backward()
        optimizer.step()
        costs.append(c.item())
    with torch.no_grad():
        guess = network(images[test]).argmax(1)
        accuracy = (guess == labels[test]).float().mean().item()
    print("epoch", epoch, "cost %.4f" % np.mean(costs), "test %.3f" % accuracy)

print("test accuracy %.3f" % accuracy)
