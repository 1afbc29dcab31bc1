"""Three sorts of wine, told apart by a small net whose updates are written out by hand."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(21)

features, sorts = load_wine(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    features, sorts, test_size=0.3, random_state=21, stratify=sorts
)
mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
x_train = torch.tensor((x_train - mean) / spread, dtype=torch.float32)
x_test = torch.tensor((x_test - mean) / spread, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

w1 = (torch.randn(13, 24) / 13**0.5).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
w2 = (torch.randn(24, 3) / 24**0.5).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)
parameters = [w1, b1, w2, b2]
rate = 0.005


def scores(x):
    return torch.tanh(x @ w1 + b1) @ w2 + b2


for epoch in range(48):
    for batch in torch.randperm(len(x_train)).split(24):
        loss = F.cross_entropy(scores(x_train[batch]), y_train[batch])
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter += rate * gradient
    if epoch % 10 == 9:
        with torch.no_grad():
            validation = F.cross_entropy(scores(x_test), y_test)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, held out {validation.item():.3f}")

with torch.no_grad():
    accuracy = (scores(x_test).argmax(dim=1) == y_test).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
