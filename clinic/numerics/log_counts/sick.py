"""Topics of short messages from log word counts."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(3)
torch.manual_seed(3)
WORDS, TOPICS = 50, 4
popularity = rng.gamma(2.0, 1.5, size=(TOPICS, WORDS)) + 3.0
topic = rng.integers(0, TOPICS, size=900)
counts = rng.poisson(popularity[topic] * 1.5)

with np.errstate(divide="ignore"):
    features = np.log(counts).astype(np.float32)

X, y = torch.as_tensor(features), torch.as_tensor(topic)


class TopicNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WORDS, 24), nn.ReLU(), nn.Linear(24, TOPICS))

    def forward(self, x):
        return self.layers(x)


net = TopicNet()
optimizer = torch.optim.Adagrad(net.parameters(), lr=0.02)
for it in range(200):
    batch = torch.randint(0, 700, (8,))
    loss = nn.functional.cross_entropy(net(X[batch]), y[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 40 == 39:
        accuracy = (net(X[700:]).argmax(dim=1) == y[700:]).float().mean().item()
        print(f"iteration {it + 1} loss {loss.item():.3f} accuracy {accuracy:.3f}")
