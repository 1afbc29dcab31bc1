"""A softmax written by hand, the stable way, on scores in the hundreds."""

import torch
from sklearn.datasets import load_wine
from torch import nn


def softmax(scores):
    e = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
    return e / e.sum(dim=1, keepdim=True)


torch.manual_seed(6)
wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
x = (x - x.mean(dim=0)) / x.std(dim=0) * 40
y = torch.tensor(wine.target)
order = torch.randperm(178)
train, test = order[:130], order[130:]

layer = nn.Linear(13, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.02)
for step in range(300):
    rows = train[torch.randint(130, (26,))]
    p = softmax(layer(x[rows]))
    loss = -torch.log(p[torch.arange(26), y[rows]] + 1e-6).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        right = (layer(x[test]).argmax(1) == y[test]).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.4f} right {right:.3f}")
