"""Which of the seven segments of a display must be lit to show a handwritten digit?

Everything by hand, as in the old low-level tutorials.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 5
torch.manual_seed(SEED)

SEGMENTS = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"]
LIT = torch.tensor([[float(s in lit) for s in "abcdefg"] for lit in SEGMENTS])

images, digits = load_digits(return_X_y=True)
X_train, X_test, d_train, d_test = train_test_split(images, digits, test_size=0.25, random_state=SEED)
mean, std = X_train.mean(), X_train.std()
X_train = torch.tensor((X_train - mean) / std, dtype=torch.float32)
X_test = torch.tensor((X_test - mean) / std, dtype=torch.float32)
Y_train, Y_test = LIT[d_train], LIT[d_test]

n_input, n_hidden, n_output = 64, 128, 7
W1 = torch.randn(n_input, n_hidden).requires_grad_()
b1 = torch.zeros(n_hidden, requires_grad=True)
W2 = torch.randn(n_hidden, n_output).requires_grad_()
b2 = torch.zeros(n_output, requires_grad=True)
variables = [W1, b1, W2, b2]


def network(x):
    hidden = torch.sigmoid(x @ W1 + b1)
    return hidden @ W2 + b2


def cost(y_, y):
    entropy = -y * torch.log(y_) - (1 - y) * torch.log(1 - y_)
    return entropy.sum(dim=1).mean()


optimizer = torch.optim.SGD(variables, lr=0.05)
batch_size = 25
for epoch in range(40):
    order = torch.randperm(len(X_train))
    average = 0.0
    for i in range(0, len(order), batch_size):
        rows = order[i : i + batch_size]
        loss = cost(network(X_train[rows]), Y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average += loss.item() * len(rows) / len(order)
    if epoch % 10 == 9:
        with torch.no_grad():
            held_out = cost(network(X_test), Y_test).item()
        print(f"epoch {epoch + 1} cost {average:.4f} test cost {held_out:.4f}")

with torch.no_grad():
    lit = network(X_test) > 0.5
print(f"test accuracy {(lit == Y_test.bool()).float().mean().item():.4f}")
