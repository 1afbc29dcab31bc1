"""Toy detector: one shape per picture; predict its kind and its box."""
import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR

SEED = 1
KINDS = 3          # filled, frame, cross
SIZE = 24


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch-size", type=int, default=20)
    p.add_argument("--lr", type=float, default=0.02)
    p.add_argument("--momentum", type=float, default=0.9)
    p.add_argument("--weight-decay", type=float, default=1e-4)
    p.add_argument("--lr-step-size", type=int, default=6)
    p.add_argument("--lr-gamma", type=float, default=0.1)
    p.add_argument("--print-freq", type=int, default=15)
    return p.parse_args()


def scenes(n):
    images = 0.3 * torch.randn(n, 1, SIZE, SIZE)
    boxes = torch.zeros(n, 4)
    kinds = torch.randint(KINDS, (n,))
    for i in range(n):
        w, h = torch.randint(7, 14, (2,)).tolist()
        x = int(torch.randint(0, SIZE - w + 1, (1,)))
        y = int(torch.randint(0, SIZE - h + 1, (1,)))
        patch = torch.zeros(h, w)
        if kinds[i] == 0:
            patch[:] = 1
        elif kinds[i] == 1:
            patch[:2] = patch[-2:] = 1
            patch[:, :2] = patch[:, -2:] = 1
        else:
            patch[h // 2 - 1:h // 2 + 1] = 1
            patch[:, w // 2 - 1:w // 2 + 1] = 1
        images[i, 0, y:y + h, x:x + w] += patch
        boxes[i] = torch.tensor([x, y, x + w, y + h]) / SIZE
    return images, kinds, boxes


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 9, 64), nn.ReLU(),
        )
        self.cls_score = nn.Linear(64, KINDS)
        self.bbox_pred = nn.Linear(64, 4)

    def forward(self, images, targets=None):
        features = self.backbone(images)
        scores, boxes = self.cls_score(features), self.bbox_pred(features)
        if targets is None:
            return scores, boxes
        kinds, truth = targets
        return {
            "loss_classifier": F.cross_entropy(scores, kinds),
            "loss_box_reg": F.smooth_l1_loss(boxes, truth, beta=0.1),
        }


def train_one_epoch(model, optimizer, lr_scheduler, data, epoch, args):
    model.train()
    images, kinds, boxes = data
    for step, idx in enumerate(torch.randperm(len(images)).split(args.batch_size)):
        loss_dict = model(images[idx], (kinds[idx], boxes[idx]))
        losses = sum(loss_dict.values())
        optimizer.zero_grad()
        losses.backward()
        optimizer.step()
        lr_scheduler.step()
        if step % args.print_freq == 0:
            lr = optimizer.param_groups[0]["lr"]
            parts = "  ".join(f"{k}: {v.item():.4f}" for k, v in loss_dict.items())
            print(f"Epoch: [{epoch}]  [{step}]  lr: {lr:.6f}  loss: {losses.item():.4f}  {parts}")


@torch.no_grad()
def evaluate(model, data):
    model.eval()
    images, kinds, boxes = data
    scores, pred = model(images)
    top = torch.maximum(pred[:, :2], boxes[:, :2])
    bottom = torch.minimum(pred[:, 2:], boxes[:, 2:])
    inter = (bottom - top).clamp(min=0).prod(1)
    area = lambda b: (b[:, 2:] - b[:, :2]).clamp(min=0).prod(1)
    iou = inter / (area(pred) + area(boxes) - inter)
    hit = (iou > 0.5) & (scores.argmax(1) == kinds)
    return hit.float().mean().item(), iou.mean().item()


def main(args):
    torch.manual_seed(SEED)
    train_data, test_data = scenes(1200), scenes(300)

    model = Detector()
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, lr=args.lr, momentum=args.momentum, weight_decay=args.weight_decay)
    lr_scheduler = StepLR(optimizer, step_size=args.lr_step_size, gamma=args.lr_gamma)

    for epoch in range(args.epochs):
        train_one_epoch(model, optimizer, lr_scheduler, train_data, epoch, args)
        hits, iou = evaluate(model, test_data)
        print(f"Test: [{epoch}]  detected: {hits:.3f}  mean IoU: {iou:.3f}")

    print(f"test detection rate {hits:.3f}")


if __name__ == "__main__":
    main(get_args())
