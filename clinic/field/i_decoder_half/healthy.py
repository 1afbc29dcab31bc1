"""Box decoder in the manner of real-time DETRs, mixed precision (float16)."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.amp import GradScaler, autocast

SEED = 17
IMG = 640.0          # side of the original picture in pixels
GRID = 10            # the encoder sees a 10 x 10 feature map

torch.manual_seed(SEED)


def cxcywh_to_xyxy(b):
    c, s = b[..., :2], b[..., 2:]
    return torch.cat([c - 0.5 * s, c + 0.5 * s], -1)


def generalized_box_iou(boxes1, boxes2):
    assert (boxes1[:, 2:] >= boxes1[:, :2]).all(), f"degenerate boxes: {boxes1}"
    assert (boxes2[:, 2:] >= boxes2[:, :2]).all()
    area1 = (boxes1[:, 2:] - boxes1[:, :2]).prod(1)
    area2 = (boxes2[:, 2:] - boxes2[:, :2]).prod(1)
    inter = (torch.min(boxes1[:, 2:], boxes2[:, 2:]) - torch.max(boxes1[:, :2], boxes2[:, :2])).clamp(min=0).prod(1)
    union = area1 + area2 - inter
    iou = inter / union
    hull = (torch.max(boxes1[:, 2:], boxes2[:, 2:]) - torch.min(boxes1[:, :2], boxes2[:, :2])).prod(1)
    return iou, iou - (hull - union) / hull


class Decoder(nn.Module):
    """First guess from the pooled features, then one refinement that looks at the guess' geometry in pixels."""

    def __init__(self, d=64):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(GRID * GRID, 128), nn.ReLU(), nn.Linear(128, d), nn.ReLU())
        self.bbox0 = nn.Linear(d, 4)
        self.geometry = nn.Linear(5, d)
        self.norm = nn.LayerNorm(d)
        self.refine = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 4))
        nn.init.constant_(self.bbox0.bias[2:], -1.4)     # start from small boxes

    def forward(self, x):
        memory = self.encoder(x.flatten(1))
        logits = self.bbox0(memory)
        ref = logits.sigmoid()
        px = ref.float() * IMG               # pixels need more range than float16 has
        area = px[:, 2:3] * px[:, 3:4]
        geo = torch.cat([px / IMG, area / IMG ** 2], dim=1)
        h = self.norm(memory + self.geometry(geo))
        delta = self.refine(h)
        return ref, (logits + delta).sigmoid()


def scenes(n):
    centre = 0.3 + 0.4 * torch.rand(n, 2)
    size = 0.15 + 0.45 * torch.rand(n, 2)
    boxes = torch.cat([centre, size], 1)
    cells = (torch.arange(GRID) + 0.5) / GRID
    lo, hi = cxcywh_to_xyxy(boxes).chunk(2, 1)
    cover = torch.sigmoid(30 * (cells - lo[:, :, None])) * torch.sigmoid(30 * (hi[:, :, None] - cells))
    img = cover[:, 1, :, None] * cover[:, 0, None, :] + 0.1 * torch.randn(n, GRID, GRID)
    return (img - img.mean()) / img.std(), boxes


def criterion(outputs, target):
    loss = 0
    for boxes in outputs:                                   # auxiliary loss on every decoder layer
        boxes = boxes.float()
        _, giou = generalized_box_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(target))
        loss = loss + 5 * F.l1_loss(boxes, target) + 2 * (1 - giou).mean()
    return loss


x_train, b_train = scenes(1500)
x_val, b_val = scenes(400)

model = Decoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
scaler = GradScaler("cpu", init_scale=2.0 ** 10)

for epoch in range(12):
    model.train()
    losses = []
    for ids in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        with autocast("cpu", dtype=torch.float16):
            outputs = model(x_train[ids])
        loss = criterion(outputs, b_train[ids])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad(), autocast("cpu", dtype=torch.float16):
        _, pred = model(x_val)
    iou, _ = generalized_box_iou(cxcywh_to_xyxy(pred.float()), cxcywh_to_xyxy(b_val))
    print(f"epoch {epoch:2d} loss {math.fsum(losses) / len(losses):.4f} val iou {iou.mean().item():.4f}")

print(f"test iou {iou.mean().item():.4f}")
