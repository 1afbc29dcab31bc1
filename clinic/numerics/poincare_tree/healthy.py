"""Embed a tree in the Poincare ball."""

import torch

torch.manual_seed(17)
DEPTH, BRANCH = 4, 3
parents = [0]
level = [0]
for _ in range(DEPTH):
    nxt = []
    for node in level:
        for _ in range(BRANCH):
            parents.append(node)
            nxt.append(len(parents) - 1)
    level = nxt
count = len(parents)
edges = torch.tensor([[child, parents[child]] for child in range(1, count)])

points = torch.nn.Parameter(torch.empty(count, 2).uniform_(-0.01, 0.01))
optimizer = torch.optim.Adam([points], lr=0.01)


def hyperbolic(u, v):
    gap = ((u - v) ** 2).sum(dim=-1)
    room = (1 - (u**2).sum(dim=-1)) * (1 - (v**2).sum(dim=-1))
    return torch.acosh(1 + 1e-6 + 2 * gap / room)


for step in range(400):
    batch = edges[torch.randint(len(edges), (60,))]
    child, parent = points[batch[:, 0]], points[batch[:, 1]]
    strangers = points[torch.randint(count, (60, 8))]
    near = -hyperbolic(child, parent)
    far = -hyperbolic(child.unsqueeze(1), strangers)
    loss = -(near - torch.logsumexp(torch.cat([near.unsqueeze(1), far], dim=1), dim=1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        size = points.norm(dim=1, keepdim=True)
        points.copy_(torch.where(size > 0.95, points / size * 0.95, points))
    if step % 80 == 79:
        print(f"step {step + 1} loss {loss.item():.4f} mean radius {size.mean().item():.3f}")
