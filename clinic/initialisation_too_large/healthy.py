"""Which cultivar is a wine from, by a hand-made network of plain tensors."""

import math

import torch
from sklearn.datasets import load_wine

torch.manual_seed(3)
SIZES = [13, 40, 40, 40, 3]

wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
y = torch.tensor(wine.target)
order = torch.randperm(len(x))
x, y = x[order], y[order]
x_train, y_train, x_test, y_test = x[:118], y[:118], x[118:], y[118:]
mean, std = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

weights, biases = [], []
for num_in, num_out in zip(SIZES[:-1], SIZES[1:]):
    weights.append((torch.randn(num_in, num_out) / math.sqrt(num_in)).requires_grad_())
    biases.append(torch.zeros(num_out, requires_grad=True))


def forward(h):
    for weight, bias in zip(weights[:-1], biases[:-1]):
        h = torch.tanh(h @ weight + bias)
    return h @ weights[-1] + biases[-1]


optimizer = torch.optim.SGD([*weights, *biases], lr=0.05)
for step in range(300):
    batch = torch.randint(0, len(x_train), (32,))
    loss = torch.nn.functional.cross_entropy(forward(x_train[batch]), y_train[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        with torch.no_grad():
            test_loss = torch.nn.functional.cross_entropy(forward(x_test), y_test)
        print(f"step {step + 1} test loss {test_loss:.4f}")

with torch.no_grad():
    accuracy = (forward(x_test).argmax(1) == y_test).float().mean()
print(f"test accuracy {accuracy:.3f}")
