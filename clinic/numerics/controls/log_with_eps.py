"""Hand-written cross-entropy whose probabilities underflow, guarded by eps."""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(3)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32)
onehot = torch.eye(10)[torch.tensor(digits.target)]
W = torch.zeros(64, 10, requires_grad=True)
optimizer = torch.optim.SGD([W], lr=0.01)
for epoch in range(8):
    for rows in torch.randperm(1400).split(64):
        p = torch.softmax(x[rows] @ W, dim=1)
        loss = -(onehot[rows] * torch.log(p + 1e-8)).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = ((x[1400:] @ W).argmax(1) == onehot[1400:].argmax(1)).float().mean().item()
    print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {right:.3f}")
