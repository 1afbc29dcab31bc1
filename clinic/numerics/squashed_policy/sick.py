"""Behaviour cloning of a pendulum controller with a tanh-squashed Gaussian policy."""

import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(0)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.mean = nn.Linear(64, 1)
        self.log_std = nn.Linear(64, 1)

    def log_prob(self, state, action):
        h = self.trunk(state)
        normal = Normal(self.mean(h), self.log_std(h).clamp(-3, 1).exp())
        raw = torch.atanh(action)
        return normal.log_prob(raw) - torch.log(1 - action**2 + 1e-6)


states = torch.randn(4000, 2)
expert = torch.tanh(-2.0 * states[:, :1] - 1.2 * states[:, 1:] + 0.1 * torch.randn(4000, 1))

policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for update in range(400):
    pick = torch.randint(0, 4000, (16,))
    loss = -policy.log_prob(states[pick], expert[pick]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 80 == 79:
        print(f"update {update + 1} loss {loss.item():.4f}")
