"""A plain deep ReLU network on digits, with its own initialisation."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

np.random.seed(7)
torch.manual_seed(7)


def init_weights(module):
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def make_model(width=64, depth=6):
    layers = [nn.Linear(64, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=0.25, random_state=7, stratify=digits.target
)
scaler = StandardScaler().fit(X_train)
X_train = torch.as_tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.as_tensor(scaler.transform(X_test), dtype=torch.float32)
y_train, y_test = torch.as_tensor(y_train), torch.as_tensor(y_test)

model = make_model()
model.apply(init_weights)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

for epoch in range(12):
    for batch in np.array_split(np.random.permutation(len(X_train)), 42):
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        test_scores = model(X_test)
        test_loss = criterion(test_scores, y_test).item()
    print(f"epoch {epoch + 1:2d}  test loss {test_loss:.4f}")

print(f"test accuracy {(test_scores.argmax(1) == y_test).double().mean().item():.3f}")
