import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
TEMPERATURE = 0.015

images = torch.tensor(load_digits().images, dtype=torch.float32) / 16
labels = torch.tensor(load_digits().target)
images = (images - images.mean()) / images.std()
train_images, test_images = images[:1400], images[1400:]
train_labels, test_labels = labels[:1400], labels[1400:]


def two_views(x):
    shift = torch.randint(-1, 2, (2,)).tolist()
    moved = torch.roll(x, shifts=shift, dims=(1, 2))
    return moved + 0.3 * torch.randn_like(x), x + 0.3 * torch.randn_like(x)


def contrastive_loss(a, b):
    similarity = a @ b.T / TEMPERATURE
    return F.cross_entropy(similarity, torch.arange(len(a)))


encoder = nn.Sequential(
    nn.Flatten(), nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 48), nn.GELU(), nn.Linear(48, 16)
)
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3, betas=(0.9, 0.98))


def neighbours():
    with torch.no_grad():
        known, asked = (F.normalize(encoder(x), dim=1) for x in (train_images, test_images))
    nearest = (asked @ known.T).argmax(dim=1)
    return np.mean(train_labels[nearest].numpy() == test_labels.numpy())


for step in range(260):
    batch = train_images[torch.randint(len(train_images), (64,))]
    first, second = (F.normalize(encoder(view), dim=1) for view in two_views(batch))
    loss = contrastive_loss(first, second)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 65 == 64:
        print(f"step {step + 1}: loss {loss.item():.3f}, nearest neighbour {neighbours():.3f}")
