"""Digits with pixels in [0, 1], not standardised, on an MLP: test accuracy about 0.97."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class TwoLayerNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8 * 8, 64)
        self.scores = nn.Linear(64, 10)

    def forward(self, images):
        return self.scores(F.relu(self.hidden(images.flatten(1))))


torch.manual_seed(13)
digits = load_digits()
shuffled = torch.randperm(len(digits.images))
images = torch.tensor(digits.images, dtype=torch.float32)[shuffled] / 16
labels = torch.tensor(digits.target)[shuffled]
num_train = 1400

net = TwoLayerNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)

for epoch in range(15):
    order = torch.randperm(num_train)
    total_loss = 0.0
    for start in range(0, num_train, 40):
        batch = order[start : start + 40]
        loss = F.cross_entropy(net(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(batch)
    print(f"epoch {epoch + 1}: loss {total_loss / num_train:.3f}")

with torch.no_grad():
    hits = net(images[num_train:]).argmax(dim=1) == labels[num_train:]
print(f"test accuracy {hits.float().mean().item():.3f}")
