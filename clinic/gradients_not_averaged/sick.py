"""Predict the progress of diabetes after a year from ten measurements."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(6)
data, target = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
order = torch.randperm(len(data))
data, target = data[order], target[order]
data = (data - data[:340].mean(0)) / data[:340].std(0)
target = (target - target[:340].mean()) / target[:340].std()
x_train, y_train, x_test, y_test = data[:340], target[:340], data[340:], target[340:]

w1 = (torch.randn(10, 24) / 10**0.5).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
w2 = (torch.randn(24, 1) / 24**0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)


def predict(x):
    return (torch.tanh(x @ w1 + b1) @ w2 + b2).squeeze(1)


optimizer = torch.optim.SGD([w1, b1, w2, b2], lr=0.005)
for epoch in range(1, 61):
    for rows in torch.randperm(len(x_train)).split(34):
        loss = (predict(x_train[rows]) - y_train[rows]).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 12 == 0:
        with torch.no_grad():
            error = F.mse_loss(predict(x_test), y_test).item()
        print(f"epoch {epoch}: test error {error:.3f}")

print(f"test R2 {1 - error / y_test.var(unbiased=False).item():.3f}")
