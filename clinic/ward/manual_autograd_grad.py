"""By-hand SGD with momentum from torch.autograd.grad, no optimizer: digits test accuracy about 0.97."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X).float() / 16, torch.tensor(Y)
shuffle = torch.randperm(len(X))
X, Y = X[shuffle], Y[shuffle]
X = (X - X[:1400].mean()) / X[:1400].std()
Xtr, Ytr, Xte, Yte = X[:1400], Y[:1400], X[1400:], Y[1400:]

net = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 10))
params = list(net.parameters())
velocity = [torch.zeros_like(p) for p in params]
lr, momentum, decay = 0.05, 0.9, 1e-3

for epoch in range(15):
    total = 0.0
    for idx in torch.randperm(len(Xtr)).split(50):
        loss = nn.functional.cross_entropy(net(Xtr[idx]), Ytr[idx])
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g, v in zip(params, grads, velocity, strict=True):
                v.mul_(momentum).add_(g + decay * p)
                p.sub_(lr * v)
        total += loss.item() * len(idx)
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}: train loss {total / len(Xtr):.4f}")

with torch.no_grad():
    logits = net(Xte)
print(f"test loss {nn.functional.cross_entropy(logits, Yte).item():.4f}")
print(f"test accuracy {(logits.argmax(1) == Yte).float().mean().item():.4f}")
