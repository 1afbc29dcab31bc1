"""A flat map of the wine cellar: a small net places 178 wines so that distances are kept."""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler


def distances(points):
    differences = points.unsqueeze(1) - points.unsqueeze(0)
    return differences.pow(2).sum(dim=2).sqrt()


torch.manual_seed(11)
features, cultivar = load_wine(return_X_y=True)
wines = torch.tensor(StandardScaler().fit_transform(features), dtype=torch.float32)
shuffled = torch.randperm(len(wines))
train, rest = wines[shuffled[:130]], wines[shuffled[130:]]
wanted, wanted_rest = distances(train), distances(rest)

place = torch.nn.Sequential(
    torch.nn.Linear(13, 40),
    torch.nn.Tanh(),
    torch.nn.Linear(40, 2),
)
adam = torch.optim.Adam(place.parameters(), lr=0.003)


def stress(net, inputs, target):
    return (distances(net(inputs)) - target).square().mean()


for step in range(240):
    adam.zero_grad()
    loss = stress(place, train, wanted)
    loss.backward()
    adam.step()
    if step % 40 == 39:
        with torch.no_grad():
            held_out = stress(place, rest, wanted_rest).item()
        print(f"step {step + 1}: stress {loss.item():.3f}, of unseen wines {held_out:.3f}")
