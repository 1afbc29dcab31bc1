"""Patient or control, from many expression values: a wide dense network with one output."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.preprocessing import StandardScaler

SEED = 3
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

GENES = 600
labels = rng.integers(0, 2, size=700)
expression = rng.lognormal(1.0, 0.5, size=(700, GENES))
markers = rng.choice(GENES, size=60, replace=False)
expression[:, markers] *= np.exp(0.25 * (2 * labels[:, None] - 1) * rng.choice([-1, 1], size=60))

scaler = StandardScaler().fit(expression[:500])
X = torch.tensor(scaler.transform(expression), dtype=torch.float32)
y = torch.tensor(labels, dtype=torch.float32).unsqueeze(1)
X_train, y_train, X_test, y_test = X[:500], y[:500], X[500:], y[500:]


class Classifier(nn.Module):
    def __init__(self, n_inputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_inputs, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
        )
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.body(x))


model = Classifier(GENES)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=1e-3)


def accuracy(inputs, targets):
    model.eval()
    with torch.no_grad():
        guess = (model(inputs) > 0).float()
    return (guess == targets).float().mean().item()


for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(len(X_train)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1:2d}  loss {np.mean(losses):.4f}  test {accuracy(X_test, y_test):.3f}")

print(f"test accuracy {accuracy(X_test, y_test):.3f}")
