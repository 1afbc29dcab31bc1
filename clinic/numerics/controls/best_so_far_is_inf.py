# Early stopping: the best loss and a running minimum of features start at infinity.
import copy

import torch
from torch import nn

torch.manual_seed(7)
x = torch.rand(1000, 4) * torch.tensor([1.0, 10.0, 100.0, 5.0])
y = torch.sin(6 * x[:, 0]) + x[:, 1] / 10 + 0.1 * torch.randn(1000)


class MinMax(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.register_buffer("low", torch.full((n,), float("inf")))
        self.register_buffer("high", torch.full((n,), float("-inf")))

    def forward(self, inputs):
        if self.training:
            self.low.copy_(torch.minimum(self.low, inputs.amin(dim=0)))
            self.high.copy_(torch.maximum(self.high, inputs.amax(dim=0)))
        return (inputs - self.low) / (self.high - self.low)


model = nn.Sequential(MinMax(4), nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
best, best_weights = torch.tensor(float("inf")), None
for epoch in range(20):
    model.train()
    for rows in torch.randperm(800).split(50):
        loss = nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = nn.functional.mse_loss(model(x[800:]).squeeze(1), y[800:])
    if val < best:
        best, best_weights = val, copy.deepcopy(model.state_dict())
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {loss.item():.4f} best {best.item():.4f}")
model.load_state_dict(best_weights)
