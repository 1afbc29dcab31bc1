"""A one-object detector: kind and box of the shape in a 16x16 picture."""
from bisect import bisect_right

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LRScheduler

SEED = 4
torch.manual_seed(SEED)
SIZE = 16


def make_pictures(n):
    images = 0.3 * torch.randn(n, 1, SIZE, SIZE)
    kinds = torch.randint(0, 3, (n,))
    boxes = torch.zeros(n, 4)
    for i in range(n):
        w, h = torch.randint(5, 11, (2,)).tolist()
        x = int(torch.randint(0, SIZE - w + 1, (1,)))
        y = int(torch.randint(0, SIZE - h + 1, (1,)))
        shape = torch.ones(h, w)
        if kinds[i] == 1:                                  # a frame
            shape[2:-2, 2:-2] = 0
        elif kinds[i] == 2:                                # stripes
            shape[1::2] = 0
        images[i, 0, y:y + h, x:x + w] += 1.5 * shape
        boxes[i] = torch.tensor([x, y, x + w, y + h]) / SIZE
    return images, kinds, boxes


class WarmupMultiStepLR(LRScheduler):
    def __init__(self, optimizer, milestones, gamma=0.1, warmup_factor=1 / 3, warmup_iters=40, last_epoch=-1):
        self.milestones = milestones
        self.gamma = gamma
        self.warmup_factor = warmup_factor
        self.warmup_iters = warmup_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        factor = 1.0
        if self.last_epoch < self.warmup_iters:
            alpha = self.last_epoch / self.warmup_iters
            factor = self.warmup_factor * (1 - alpha) + alpha
        decay = self.gamma ** bisect_right(self.milestones, self.last_epoch)
        return [group["lr"] * factor * decay for group in self.optimizer.param_groups]


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 4 * 4, 64), nn.ReLU(),
        )
        self.cls_head = nn.Linear(64, 3)
        self.box_head = nn.Linear(64, 4)

    def forward(self, images):
        features = self.backbone(images)
        return self.cls_head(features), self.box_head(features)


images, kinds, boxes = make_pictures(1400)
train, test = slice(0, 1100), slice(1100, 1400)
mean, std = images[train].mean(), images[train].std()
images = (images - mean) / std

model = Detector()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
scheduler = WarmupMultiStepLR(optimizer, milestones=[330, 440])

iteration, max_iter = 0, 500
while iteration < max_iter:
    for rows in torch.randperm(1100).split(32):
        iteration += 1
        cls_logits, box_pred = model(images[rows])
        cls_loss = F.cross_entropy(cls_logits, kinds[rows])
        reg_loss = F.smooth_l1_loss(box_pred, boxes[rows], beta=0.1)
        loss = cls_loss + 4 * reg_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if iteration % 100 == 0:
            lr = optimizer.param_groups[0]["lr"]
            print(f"iter: {iteration:04d}, lr: {lr:.3g}, cls {cls_loss.item():.3f}, reg {reg_loss.item():.4f}")
        if iteration == max_iter:
            break

model.eval()
with torch.no_grad():
    cls_logits, box_pred = model(images[test])
accuracy = (cls_logits.argmax(1) == kinds[test]).float().mean().item()
print(f"box error {(box_pred - boxes[test]).abs().mean().item() * SIZE:.2f} pixels")
print(f"test accuracy {accuracy:.3f}")
