"""Two interleaved spirals, told apart by a narrow and deep net."""

import math

import torch
from torch import nn


class DeepNet(nn.Module):
    def __init__(self, num_hidden=4, width=10):
        super().__init__()
        self.first = nn.Linear(2, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(num_hidden))
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.last(x).squeeze(1)


def spirals(count):
    turn = torch.rand(count).sqrt() * 3 * math.pi
    label = torch.randint(0, 2, (count,)).float()
    angle = turn + math.pi * label
    points = torch.stack([angle.cos() * turn, angle.sin() * turn], dim=1) / 5
    return points + 0.05 * torch.randn(count, 2), label


torch.manual_seed(21)
train_x, train_y = spirals(1500)
test_x, test_y = spirals(500)

model = DeepNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(30):
    for rows in torch.randperm(len(train_x)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            output = model(test_x)
            accuracy = ((output > 0) == (test_y > 0.5)).float().mean().item()
            print(f"epoch {epoch + 1}: test loss {criterion(output, test_y):.3f}")
        model.train()

print(f"test accuracy {accuracy:.3f}")
