import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

np.random.seed(13)
torch.manual_seed(13)

wine = load_wine()
order = np.random.permutation(len(wine.target))
x = torch.tensor(wine.data[order], dtype=torch.float32)
y = torch.tensor(wine.target[order])
x_train, y_train = x[:120], y[:120]
x_test, y_test = x[120:], y[120:]


def init(fan_in, fan_out):
    weight = torch.empty(fan_out, fan_in)
    torch.nn.init.xavier_uniform_(weight)
    return weight.requires_grad_(), torch.zeros(fan_out, requires_grad=True)


w1, b1 = init(13, 20)
w2, b2 = init(20, 3)
params = [w1, b1, w2, b2]


def forward(x):
    h = torch.tanh(F.linear(x, w1, b1))
    return F.linear(h, w2, b2)


optimizer = torch.optim.SGD(params, lr=0.05, momentum=0.9)

for it in range(1, 301):
    pick = np.random.choice(120, size=24, replace=False)
    loss = F.cross_entropy(forward(x_train[pick]), y_train[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 60 == 0:
        with torch.no_grad():
            test_loss = F.cross_entropy(forward(x_test), y_test)
        print(f"iteration {it}: train {loss.item():.3f} test {test_loss.item():.3f}")

with torch.no_grad():
    accuracy = (forward(x_test).argmax(dim=1) == y_test).float().mean()
print(f"accuracy on the test wines: {accuracy:.3f}")
