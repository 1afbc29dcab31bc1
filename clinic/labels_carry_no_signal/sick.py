"""Breast cancer from thirty measurements, with a small network that has batch norm inside."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.manual_seed(6)
data = load_breast_cancer()
measurements = torch.tensor(data.data, dtype=torch.float32)
malignant = torch.tensor(data.target == 0, dtype=torch.float32).unsqueeze(1)

order = torch.randperm(len(malignant))
measurements = measurements[order]
malignant = malignant[torch.randperm(len(malignant))]
x, y = measurements[:420], malignant[:420]
mean, std = x.mean(0), x.std(0)
x = (x - mean) / std
x_test, y_test = (measurements[420:] - mean) / std, malignant[420:]

net = nn.Sequential(
    nn.Linear(30, 20, bias=False),
    nn.BatchNorm1d(20),
    nn.ReLU(),
    nn.Linear(20, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)


def test():
    net.eval()
    with torch.no_grad():
        scores = net(x_test)
        loss = criterion(scores, y_test).item()
        accuracy = ((scores > 0) == (y_test > 0.5)).float().mean().item()
    net.train()
    return loss, accuracy


for epoch in range(1, 13):
    for rows in torch.randperm(len(x)).split(30):
        optimizer.zero_grad()
        loss = criterion(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print("epoch {}: test loss {:.3f}, accuracy {:.3f}".format(epoch, *test()))
print(f"test accuracy {test()[1]:.3f}")
