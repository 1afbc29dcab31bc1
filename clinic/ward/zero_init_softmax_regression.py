"""Softmax regression on digits from all-zero weights, no modules: test accuracy about 0.96."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(9)
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=9)
mean, std = x_train.mean(axis=0), x_train.std()
x_train = torch.tensor((x_train - mean) / std, dtype=torch.float32)
x_test = torch.tensor((x_test - mean) / std, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

weight = torch.zeros(10, 64, requires_grad=True)
bias = torch.zeros(10, requires_grad=True)
optimizer = torch.optim.SGD([weight, bias], lr=0.1)

for step in range(1, 401):
    batch = torch.randint(len(x_train), (100,))
    loss = F.cross_entropy(F.linear(x_train[batch], weight, bias), y_train[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

with torch.no_grad():
    accuracy = (F.linear(x_test, weight, bias).argmax(dim=1) == y_test).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
