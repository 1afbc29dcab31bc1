"""Which of three topics does a document belong to?  A document may have several of them, or none."""
import random

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 5
EPOCHS = 12
BATCH = 20

random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

x, y = make_multilabel_classification(
    n_samples=3000, n_features=20, n_classes=3, n_labels=2, random_state=SEED
)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SEED)
scaler = StandardScaler().fit(x_train)
x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32)
y_test = torch.tensor(y_test, dtype=torch.float32)

model = nn.Sequential(
    nn.Linear(20, 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 3),
    nn.Softmax(dim=1),
)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def exact_match(features, labels):
    model.eval()
    with torch.no_grad():
        guess = (model(features) > 0.5).float()
    return (guess == labels).all(dim=1).float().mean().item()


for epoch in range(EPOCHS):
    model.train()
    order = torch.randperm(len(x_train))
    total = 0.0
    for start in range(0, len(order), BATCH):
        rows = order[start:start + BATCH]
        optimizer.zero_grad()
        loss = criterion(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch + 1:2d}  loss {total / len(order):.4f}  exact match {exact_match(x_test, y_test):.3f}")

print(f"test exact match {exact_match(x_test, y_test):.3f}")
