"""Digits through a narrow code that must both redraw the image and name the digit."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(30)


class TwoTasks(nn.Module):
    def __init__(self, code=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, code))
        self.decoder = nn.Sequential(nn.Linear(code, 64), nn.ReLU(), nn.Linear(64, 64))
        self.classifier = nn.Linear(code, 10)

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code), self.classifier(code)


pixels, names = load_digits(return_X_y=True)
pixels = torch.tensor(pixels / 16 - 0.3).float()
names = torch.tensor(names)
order = torch.randperm(len(names))
train, test = order[:1400], order[1400:]

model = TwoTasks()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(12):
    for rows in train[torch.randperm(1400)].split(50):
        redrawn, scores = model(pixels[rows])
        picture_loss = 10 * F.mse_loss(redrawn, pixels[rows])
        name_loss = F.cross_entropy(scores, names[rows])
        loss = picture_loss + name_loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        redrawn, scores = model(pixels[test])
        print(
            f"epoch {epoch}: pictures {F.mse_loss(redrawn, pixels[test]).item():.4f}, "
            f"names {F.cross_entropy(scores, names[test]).item():.3f}"
        )

print(f"test accuracy {(scores.argmax(dim=1) == names[test]).float().mean().item():.3f}")
