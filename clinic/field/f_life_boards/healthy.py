"""Teach a small conv net one step of Conway's Game of Life."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 2
EPOCHS = 10
LR = 0.01

torch.manual_seed(SEED)


def step(board):
    """One generation; everything beyond the edge is dead."""
    kernel = torch.tensor([[1., 1, 1], [1, 0, 1], [1, 1, 1]]).view(1, 1, 3, 3)
    n = F.conv2d(board, kernel, padding=1)
    return ((n == 3) | ((board == 1) & (n == 2))).float()


boards = (torch.rand(2200, 1, 8, 8) < 0.4).float()
after = step(boards)
train_x, train_y = boards[:1800], after[:1800]
test_x, test_y = boards[1800:], after[1800:]


class LifeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Conv2d(1, 20, 3, padding=1)
        self.mix = nn.Conv2d(20, 16, 1)
        self.cell = nn.Conv2d(16, 1, 1)

    def forward(self, b):
        h = F.relu(self.look(b * 2 - 1))
        h = F.relu(self.mix(h))
        return torch.sigmoid(self.cell(h))


net = LifeNet()
optimizer = torch.optim.Adam(net.parameters(), lr=LR)

for epoch in range(EPOCHS):
    perm = torch.randperm(len(train_x))
    total = 0
    for i in range(0, len(perm), 32):
        pick = perm[i:i + 32]
        out = net(train_x[pick])
        loss = F.binary_cross_entropy(out, train_y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(pick)
    with torch.no_grad():
        right = ((net(test_x) > 0.5) == (test_y > 0.5)).float().mean().item()
    print(f"{epoch}: loss {total / len(perm):.4f}, cells right {right:.4f}")

print(f"test accuracy {right:.4f}")
