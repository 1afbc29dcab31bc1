# Sparse coding layer with its own activation and derivative.
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch import nn


class SmoothRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.softplus(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        e = torch.exp(x)
        return grad_output * e / (1 + e)


class Layer(nn.Linear):
    def forward(self, x):
        return SmoothRelu.apply(super().forward(x))


torch.manual_seed(5)
X, y = load_breast_cancer(return_X_y=True)
X, y = torch.tensor(X).float(), torch.tensor(y)
X = X / 4
order = torch.randperm(len(X))
train, test = order[:430], order[430:]

net = nn.Sequential(Layer(30, 40), Layer(40, 40), nn.Linear(40, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
for epoch in range(30):
    for rows in train[torch.randperm(430)].split(43):
        loss = F.cross_entropy(net(X[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 6 == 5:
        with torch.no_grad():
            accuracy = (net(X[test]).argmax(1) == y[test]).float().mean().item()
        print(f"{epoch + 1:2d} loss {loss.item():.4f} accuracy {accuracy:.3f}")
