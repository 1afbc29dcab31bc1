"""Kullback-Leibler divergence to sparse target distributions; 0 * log 0 counts as 0."""

import torch
from torch import nn

torch.manual_seed(14)
x = torch.randn(1000, 6)
teacher = torch.randn(6, 8)
target = torch.relu(torch.softmax(2 * x @ teacher, dim=1) - 0.05)
target = target / target.sum(dim=1, keepdim=True)

student = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 8))
optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)


def divergence(p, log_q):
    return (torch.special.xlogy(p, p) - p * log_q).sum(dim=1).mean()


for step in range(300):
    rows = torch.randint(0, 800, (50,))
    loss = divergence(target[rows], student(x[rows]).log_softmax(dim=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        with torch.no_grad():
            test = divergence(target[800:], student(x[800:]).log_softmax(dim=1)).item()
        print(f"step {step + 1} loss {loss.item():.4f} test {test:.4f}")
