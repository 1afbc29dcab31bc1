"""Digits with an optimizer written by hand."""

import torch
from sklearn.datasets import load_digits
from torch import nn


class ScaledSGD(torch.optim.Optimizer):
    """Every coordinate is divided by a running root mean square of its gradient."""

    def __init__(self, params, lr=1e-3, decay=0.9):
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["square"] = p.grad**2
                state["square"].mul_(group["decay"]).addcmul_(
                    p.grad, p.grad, value=1 - group["decay"]
                )
                p.sub_(group["lr"] * p.grad / (state["square"].sqrt() + 1e-8))


torch.manual_seed(1)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)

model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
optimizer = ScaledSGD(model.parameters(), lr=2e-3)
for epoch in range(8):
    for rows in torch.randperm(1400).split(100):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        model.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (model(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
    print(f"epoch {epoch + 1} loss {loss.item():.3f} accuracy {accuracy:.3f}")
