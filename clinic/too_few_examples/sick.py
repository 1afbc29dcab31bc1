"""Handwritten digits, full-batch gradient descent on a wide network."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim

NUM_TRAIN = 60
NUM_TEST = 400
STEPS = 160

torch.manual_seed(13)
data = load_digits()
images = torch.tensor(data.data, dtype=torch.float32)
images = (images - images.mean()) / images.std()
labels = torch.tensor(data.target)
order = torch.randperm(len(labels))
train, test = order[:NUM_TRAIN], order[-NUM_TEST:]
x_train, y_train = images[train], labels[train]
x_test, y_test = images[test], labels[test]


class WideNet(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, width), nn.Tanh())
        self.classes = nn.Linear(width, 10)

    def forward(self, x):
        return self.classes(self.features(x))


model = WideNet()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
for step in range(STEPS):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x_train), y_train)
    loss.backward()
    optimizer.step()
    if (step + 1) % 20 == 0:
        model.eval()
        with torch.inference_mode():
            scores = model(x_test)
            test_loss = F.cross_entropy(scores, y_test).item()
            accuracy = (scores.argmax(dim=1) == y_test).float().mean().item()
        model.train()
        print(f"step {step + 1}: train loss {loss.item():.4f}, test loss {test_loss:.4f}")
print(f"test accuracy {accuracy:.3f}")
