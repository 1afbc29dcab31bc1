# REINFORCE on a small grid; moves into walls are masked out.
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(7)
SIZE, GOAL = 5, 24
MOVES = torch.tensor([-SIZE, SIZE, -1, 1])
cells = torch.arange(SIZE * SIZE)
row, col = cells // SIZE, cells % SIZE
allowed = torch.stack([row > 0, row < SIZE - 1, col > 0, col < SIZE - 1], dim=1)

policy = nn.Sequential(nn.Embedding(SIZE * SIZE, 16), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)

for episode in range(80):
    position = torch.randint(6, 19, (32,))
    log_probs, entropies, rewards = [], [], []
    for t in range(10):
        logits = policy(position).masked_fill(~allowed[position], float("-inf"))
        probs = F.softmax(logits, dim=1)
        action = torch.multinomial(probs, 1).squeeze(1)
        entropies.append(-(probs * torch.log(probs)).sum(dim=1))
        log_probs.append(torch.log(probs.gather(1, action.unsqueeze(1)).squeeze(1)))
        position = torch.where(position == GOAL, position, position + MOVES[action])
        rewards.append((position == GOAL).float() - 0.02)
    returns = torch.stack(rewards).flip(0).cumsum(0).flip(0)
    advantage = returns - returns.mean()
    entropy = torch.stack(entropies).mean()
    loss = -(torch.stack(log_probs) * advantage).mean() - 0.01 * entropy
    if not torch.isfinite(loss):
        print(f"episode {episode}: loss is {loss.item()}, stopping")
        break
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 16 == 15:
        print(f"episode {episode + 1} return {returns[0].mean().item():.3f} loss {loss.item():.3f}")
