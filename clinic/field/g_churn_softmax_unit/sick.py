"""Predict customer churn from a table with some numeric and some categorical columns."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 11
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

N = 1600
numeric = rng.normal(size=(N, 6)).astype("float32")
country = rng.integers(0, 3, N)
gender = rng.integers(0, 2, N)
effect = np.array([-0.8, 0.3, 0.9])[country] + 0.4 * gender
z = effect + 1.2 * numeric[:, 0] - numeric[:, 1] * numeric[:, 2] + 0.9 * numeric[:, 3] ** 2 - 1.1
y = (z + 0.3 * rng.normal(size=N) > 0).astype("float32")
X = np.concatenate([numeric, np.eye(3, dtype="float32")[country], gender[:, None].astype("float32")], axis=1)

cut = int(0.75 * N)
X_train, y_train = torch.tensor(X[:cut]), torch.tensor(y[:cut]).unsqueeze(1)
X_val, y_val = torch.tensor(X[cut:]), torch.tensor(y[cut:]).unsqueeze(1)


class ChurnNet(nn.Module):
    def __init__(self, n_in):
        super(ChurnNet, self).__init__()
        self.fc1 = nn.Linear(n_in, 32)
        self.fc2 = nn.Linear(32, 16)
        self.fc3 = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.softmax(self.fc3(x), dim=1)
        return x


def evaluate(model):
    model.eval()
    with torch.no_grad():
        prob = model(X_val)
        loss = F.binary_cross_entropy(prob, y_val).item()
        acc = ((prob > 0.5).float() == y_val).float().mean().item()
    model.train()
    return loss, acc


model = ChurnNet(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(20):
    perm = torch.randperm(cut)
    for i in range(0, cut, 32):
        batch = perm[i:i + 32]
        loss = F.binary_cross_entropy(model(X_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    val_loss, val_acc = evaluate(model)
    print(f"Epoch {epoch + 1}/20  val_loss: {val_loss:.4f}  val_acc: {val_acc:.4f}")

print(f"test accuracy {evaluate(model)[1]:.4f}")
