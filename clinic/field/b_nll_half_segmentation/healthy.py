"""Pixel-wise labelling of small scenes with 16-bit activations."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 8
torch.manual_seed(SEED)
SIZE, CLASSES, BATCH = 32, 4, 64


def scenes(n, gen):
    """Up to three overlapping rectangles of different brightness on a noisy ground."""
    label = torch.zeros(n, SIZE, SIZE, dtype=torch.long)
    for i in range(n):
        for c in range(1, CLASSES):
            top, left = torch.randint(0, SIZE - 12, (2,), generator=gen).tolist()
            h, w = torch.randint(8, 20, (2,), generator=gen).tolist()
            label[i, top : top + h, left : left + w] = c
    level = torch.tensor([-1.2, -0.2, 0.7, 1.6])
    image = level[label] + 0.5 * torch.randn(n, SIZE, SIZE, generator=gen)
    return image.unsqueeze(1), label


gen = torch.Generator().manual_seed(SEED)
train_x, train_y = scenes(512, gen)
test_x, test_y = scenes(64, gen)


class SegNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.c2 = nn.Conv2d(8, 8, 3, padding=1)
        self.c3 = nn.ConvTranspose2d(8, CLASSES, 2, stride=2)

    def forward(self, x):
        x = F.relu(self.c1(x))
        x = F.relu(self.c2(x))
        return self.c3(x)


def nll(logits, target):
    logp = F.log_softmax(logits.float(), dim=1)
    picked = logp.gather(1, target.unsqueeze(1))
    return -picked.sum() / torch.ones_like(picked).sum()


model = SegNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def pixel_accuracy():
    model.eval()
    with torch.no_grad():
        return (model(test_x).argmax(1) == test_y).float().mean().item()


for epoch in range(14):
    model.train()
    order = torch.randperm(len(train_x))
    for idx in order.split(BATCH):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            logits = model(train_x[idx])
        loss = nll(logits, train_y[idx])
        loss.backward()
        optimizer.step()
    print("epoch %d loss %.4f pixel accuracy %.3f" % (epoch + 1, loss.item(), pixel_accuracy()))
print("test accuracy %.3f" % pixel_accuracy())
