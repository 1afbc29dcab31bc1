import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(31)
digits = load_digits()
clean = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
noisy = clean + 0.3 * torch.randn_like(clean)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, 3, padding=1)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Restorer(nn.Module):
    def __init__(self, c=8, depth=6):
        super().__init__()
        self.enter = nn.Conv2d(1, c, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(c) for _ in range(depth)))
        self.leave = nn.Conv2d(c, 1, 3, padding=1)

    def forward(self, x):
        return self.leave(self.blocks(self.enter(x)))


net = Restorer()
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
for step in range(120):
    rows = torch.randint(0, 1500, (16,))
    restored = net(noisy[rows])
    loss = F.mse_loss(restored, clean[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 24 == 23:
        print(f"step {step + 1} loss {loss.item():.5f}")
