"""Q-learning on a chain with normalised rewards and a replay memory."""

import random

import torch
import torch.nn as nn

torch.manual_seed(2)
random.seed(2)
LENGTH = 8
q = nn.Sequential(nn.Embedding(LENGTH, 24), nn.ReLU(), nn.Linear(24, 2))
optimizer = torch.optim.Adam(q.parameters(), lr=5e-3)
memory = []


def play_episode(epsilon):
    state, steps = LENGTH // 2, []
    for _ in range(20):
        if random.random() < epsilon:
            action = random.randrange(2)
        else:
            action = q(torch.tensor([state])).argmax().item()
        new = max(0, min(LENGTH - 1, state + (1 if action else -1)))
        reward = 1.0 if new == LENGTH - 1 else 0.2 if new == 0 else 0.0
        steps.append((state, action, reward, new))
        state = new
        if new == LENGTH - 1:
            break
    return steps


def remember(steps):
    states, actions, rewards, following = (torch.tensor(column) for column in zip(*steps))
    rewards = rewards / rewards.max()
    memory.extend(zip(states, actions, rewards, following))


for episode in range(150):
    remember(play_episode(max(0.1, 0.9 - episode / 60)))
    if len(memory) < 200:
        continue
    for _ in range(2):
        picked = random.sample(memory[-2000:], 32)
        s, a, r, n = (torch.stack(column) for column in zip(*picked))
        with torch.no_grad():
            target = r + 0.9 * q(n).max(dim=1).values * (n != LENGTH - 1)
        value = q(s).gather(1, a.unsqueeze(1)).squeeze(1)
        loss = nn.functional.smooth_l1_loss(value, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if episode % 30 == 29:
        values = q(torch.arange(LENGTH)).max(dim=1).values
        print(f"episode {episode + 1} loss {loss.item():.4f} value {values.mean().item():.3f}")
