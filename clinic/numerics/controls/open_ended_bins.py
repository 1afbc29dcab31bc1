# Incomes as ordered classes: the outer bins reach to infinity.
import torch
from torch import nn

torch.manual_seed(13)
x = torch.randn(1500, 4)
income = torch.exp(x[:, 0] + 0.5 * x[:, 1].abs() + 0.3 * torch.randn(1500))
edges = torch.tensor([float("-inf"), 0.5, 1.0, 2.0, 4.0, float("inf")])
label = torch.bucketize(income, edges[1:-1])
weight = 1.0 / torch.bincount(label, minlength=5).float() ** 0.5


class Ordinal(nn.Module):
    """P(class k) = F(upper edge - score) - F(lower edge - score)."""

    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))
        self.register_buffer("edges", torch.cat([edges[:1], edges[1:-1].log(), edges[-1:]]))

    def forward(self, inputs):
        return torch.sigmoid(2 * (self.edges - self.score(inputs))).diff(dim=1)


model = Ordinal()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(250):
    rows = torch.randint(0, 1200, (60,))
    p = model(x[rows])[torch.arange(60), label[rows]]
    loss = -(weight[label[rows]] * torch.log(p.clamp_min(1e-6))).sum() / weight[label[rows]].sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        right = (model(x[1200:]).argmax(1) == label[1200:]).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.4f} right {right:.3f}")
