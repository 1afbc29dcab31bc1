"""Face-recognition style angular margin loss on a few hundred wines... and their cultivars."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(21)
data = load_wine()
wines = torch.tensor(StandardScaler().fit_transform(data.data), dtype=torch.float32)
cultivar = torch.tensor(data.target)
order = torch.randperm(178)
train, test = order[:140], order[140:]

embed = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 2))
centres = nn.Parameter(torch.randn(3, 2))
optimizer = torch.optim.SGD([*embed.parameters(), centres], lr=0.05, momentum=0.9)


def cosines(x):
    return F.normalize(embed(x)) @ F.normalize(centres).T


def angular_loss(cosine, label, scale=8.0, margin=0.3):
    theta = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    with_margin = torch.cos(theta + margin * F.one_hot(label, 3))
    return F.cross_entropy(scale * with_margin, label)


for epoch in range(60):
    for rows in train[torch.randperm(140)].split(20):
        loss = angular_loss(cosines(wines[rows]), cultivar[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 12 == 11:
        with torch.no_grad():
            right = cosines(wines[test]).argmax(1) == cultivar[test]
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, right {right.float().mean().item():.3f}")
