"""The exclusive or of two inputs, learnt by a tiny tanh network."""

import sys

import torch
from torch import nn

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
HIDDEN = 2


def corners(n):
    signs = torch.randint(0, 2, (n, 2)).float() * 2 - 1
    return signs + 0.25 * torch.randn(n, 2), (signs[:, 0] != signs[:, 1]).float()


def main():
    torch.manual_seed(SEED)
    x, y = corners(256)
    test_x, test_y = corners(256)
    hidden = nn.Linear(2, HIDDEN)
    out = nn.Linear(HIDDEN, 1)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam([*hidden.parameters(), *out.parameters()], lr=0.02)

    def forward(points):
        return out(torch.tanh(hidden(points))).squeeze(-1)

    for step in range(300):
        rows = torch.randint(0, len(x), (64,))
        loss = criterion(forward(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            with torch.no_grad():
                test_loss = criterion(forward(test_x), test_y).item()
            print(f"step {step + 1}: test loss {test_loss:.3f}")
    with torch.no_grad():
        accuracy = ((forward(test_x) > 0).float() == test_y).float().mean().item()
    print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
