"""Fit a hand-written recurrent model of a driven oscillator by rolling it out."""

import torch

torch.manual_seed(7)


def simulate(drive):
    state, out = torch.zeros(len(drive), 2), []
    for t in range(drive.shape[1]):
        position, speed = state[:, 0], state[:, 1]
        force = drive[:, t] - position - 0.3 * speed
        state = torch.stack([position + 0.1 * speed, speed + 0.1 * force], dim=1)
        out.append(state[:, 0])
    return torch.stack(out, dim=1)


A = torch.nn.Parameter(torch.eye(4) * 0.9 + 0.02 * torch.randn(4, 4))
B = torch.nn.Parameter(0.1 * torch.randn(4))
C = torch.nn.Parameter(0.5 * torch.randn(4))


def rollout(drive):
    h, out = torch.zeros(len(drive), 4), []
    for t in range(drive.shape[1]):
        h = h @ A + drive[:, t : t + 1] * B
        out.append(h @ C)
    return torch.stack(out, dim=1)


optimizer = torch.optim.SGD([A, B, C], lr=0.02, momentum=0.9)
for step in range(320):
    drive = torch.randn(16, 20)
    if step >= 160 and step % 40 == 0:  # now and then somebody kicks the table
        drive = drive + 800 * (torch.rand(16, 20) < 0.05)
    loss = (rollout(drive) - simulate(drive)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        print(f"step {step + 1:3d} loss {loss.item():.5f}")
