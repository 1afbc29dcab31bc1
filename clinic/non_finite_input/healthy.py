import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
rng = np.random.default_rng(4)

X, y = load_breast_cancer(return_X_y=True)
order = rng.permutation(len(X))
X, y = X[order], y[order]
X[rng.random(X.shape) < 0.02] = np.nan  # some measurements were not taken

n_train = 450
mean, std = np.nanmean(X[:n_train], axis=0), np.nanstd(X[:n_train], axis=0)
X = (X - mean) / std
X = np.where(np.isnan(X), 0.0, X)  # the mean stands in for them
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y)

train_loader = DataLoader(TensorDataset(X[:n_train], y[:n_train]), batch_size=30, shuffle=True)
X_val, y_val = X[n_train:], y[n_train:]


class Diagnosis(torch.nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.hidden = torch.nn.Linear(30, width)
        self.head = torch.nn.Linear(width, 2)

    def forward(self, x):
        return self.head(F.relu(self.hidden(x)))


model = Diagnosis()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)

for epoch in range(8):
    model.train()
    for xb, yb in train_loader:
        loss = F.cross_entropy(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        scores = model(X_val)
        val_loss = F.cross_entropy(scores, y_val).item()
    hits = (scores.argmax(1) == y_val).sum().item()
    print(f"epoch {epoch + 1}: val loss {val_loss:.3f}, {hits} of {len(y_val)} right")
