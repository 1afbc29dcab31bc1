"""Three cultivars of wine; a port of a small Keras script."""

import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

SEED = 10
np.random.seed(SEED)
torch.manual_seed(SEED)

X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, random_state=SEED, stratify=y
)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
Y_train = nn.functional.one_hot(torch.tensor(y_train), 3).float()
y_test = torch.tensor(y_test)

model = nn.Sequential(
    nn.Linear(13, 32),
    nn.ReLU(),
    nn.Linear(32, 16),
    nn.ReLU(),
    nn.Linear(16, 3),
)


def categorical_crossentropy(y_true, y_pred):
    return -(y_true * torch.log_softmax(y_pred, dim=1)).sum(dim=1).mean()


optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(60):
    model.train()
    perm = torch.randperm(len(X_train))
    for start in range(0, len(perm), 16):
        rows = perm[start : start + 16]
        loss = categorical_crossentropy(Y_train[rows], model(X_train[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 10 == 0:
        model.eval()
        with torch.no_grad():
            acc = (model(X_test).argmax(1) == y_test).float().mean().item()
        print(f"Epoch {epoch + 1}/60 - loss: {loss.item():.4f} - val_accuracy: {acc:.4f}")

print(f"test accuracy {acc:.3f}")
