"""Signal or background: a dense network on thirty columns of collision measurements."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
BATCH_SIZE = 1
EPOCHS = 1

torch.manual_seed(SEED)
X, y = make_classification(
    n_samples=1800,
    n_features=30,
    n_informative=12,
    n_redundant=6,
    n_clusters_per_class=2,
    class_sep=1.2,
    flip_y=0.02,
    random_state=SEED,
)
# momenta and masses in GeV, angles in rad, ratios: every column has its own unit
rng = np.random.default_rng(SEED)
unit = rng.choice([0.5, 1.5, 60.0, 250.0, 900.0], size=30)
offset = unit * rng.uniform(0.5, 2.0, size=30)
X = X * unit + offset

X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, random_state=SEED, stratify=y
)


def tensors(a, b):
    return torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)


train_set = TensorDataset(*tensors(X_train, y_train))
test_set = TensorDataset(*tensors(X_test, y_test))
train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
test_loader = DataLoader(test_set, batch_size=256)


class HiggsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(30, 120)
        self.fc2 = nn.Linear(120, 80)
        self.fc3 = nn.Linear(80, 20)
        self.out = nn.Linear(20, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = self.drop(torch.relu(self.fc1(x)))
        x = self.drop(torch.relu(self.fc2(x)))
        x = self.drop(torch.relu(self.fc3(x)))
        return self.out(x).squeeze(1)


net = HiggsNet()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.001)


def evaluate():
    net.eval()
    hits = 0
    with torch.no_grad():
        for features, target in test_loader:
            hits += ((net(features) > 0).float() == target).sum().item()
    return hits / len(test_set)


for epoch in range(EPOCHS):
    net.train()
    running = 0.0
    for features, target in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(net(features), target)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch} loss {running / len(train_loader):.4f} accuracy {evaluate():.3f}")

print(f"test accuracy {evaluate():.3f}")
