import random

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn, optim

random.seed(8)
np.random.seed(8)
torch.manual_seed(8)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 100)
        self.fc2 = nn.Linear(100, 10)
        self.relu = nn.ReLU()
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.constant_(self.fc1.bias, -4.0)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


def batches(x, y, size):
    order = np.random.permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


data, target = load_digits(return_X_y=True)
data = ((data - data.mean(axis=0)) / data.std()).astype(np.float32)
splits = train_test_split(data, target, test_size=400, random_state=8)
x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in splits)

network = Network()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

for epoch in range(10):
    for x, y in batches(x_train, y_train, 32):
        optimizer.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        correct = network(x_test).argmax(dim=1).eq(y_test).sum().item()
    print(f"epoch {epoch}: {correct} of {len(y_test)} test digits correct")

print(f"test accuracy {correct / len(y_test):.3f}")
