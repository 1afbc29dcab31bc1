# Mixture of experts: a regulariser keeps the gates decided.
import torch
from torch import nn

torch.manual_seed(4)


class Experts(nn.Module):
    def __init__(self, n_in, n_experts, k=2):
        super().__init__()
        self.k = k
        self.gate = nn.Linear(n_in, n_experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(n_in, 16), nn.Tanh(), nn.Linear(16, 1))
            for _ in range(n_experts)
        )

    def forward(self, x):
        score = self.gate(x)
        threshold = score.topk(self.k, dim=1).values[:, -1:]
        weight = score.masked_fill(score < threshold, -1e9).softmax(dim=1)
        outputs = torch.cat([expert(x) for expert in self.experts], dim=1)
        return (weight * outputs).sum(dim=1), weight


x = torch.randn(1200, 3)
region = (x[:, 0] > 0).float() + (x[:, 1] > 0).float() * 2
y = torch.sin(x[:, 2] * (1 + region)) + 0.3 * region + 0.05 * torch.randn(1200)

moe = Experts(3, 4)
optimizer = torch.optim.Adam(moe.parameters(), lr=5e-3)
for step in range(300):
    rows = torch.randint(0, 1000, (64,))
    prediction, weight = moe(x[rows])
    entropy = torch.special.entr(weight).sum(dim=1).mean()
    loss = (prediction - y[rows]).pow(2).mean() + 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        with torch.no_grad():
            test = (moe(x[1000:])[0] - y[1000:]).pow(2).mean().item()
        print(f"step {step + 1} loss {loss.item():.4f} test mse {test:.4f}")
