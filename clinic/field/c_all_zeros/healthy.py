"""Fraud detection: few of the transactions are fraudulent."""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 8
np.random.seed(SEED)
torch.manual_seed(SEED)

# ten features; a transaction's chance of being fraud rises along a few of them
X = np.random.randn(8000, 10)
risk = X[:, 0] + X[:, 1] - X[:, 2] + 0.7 * np.maximum(X[:, 3], 0) + 0.5 * X[:, 4]
y = (np.random.rand(len(X)) < 1 / (1 + np.exp(5.2 - 1.2 * risk))).astype(int)
print(f"{y.mean():.1%} fraud")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train, X_test = (torch.tensor(scaler.transform(a), dtype=torch.float32) for a in (X_train, X_test))
y_train, y_test = (torch.tensor(a, dtype=torch.float32).unsqueeze(1) for a in (y_train, y_test))


class FraudNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 16)
        self.fc2 = nn.Linear(16, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


net = FraudNet(X_train.shape[1])
negatives, positives = (y_train == 0).sum(), (y_train == 1).sum()
criterion = nn.BCEWithLogitsLoss(pos_weight=negatives / positives)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)

for epoch in range(1, 13):
    net.train()
    running_loss, correct = 0.0, 0
    for inputs, labels in loader:
        optimizer.zero_grad()
        logits = net(inputs)
        loss = criterion(logits, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(inputs)
        correct += ((logits > 0) == (labels > 0.5)).sum().item()
    net.eval()
    with torch.no_grad():
        val_loss = criterion(net(X_test), y_test).item()
    if epoch % 3 == 0:
        n = len(X_train)
        print(f"epoch {epoch} loss {running_loss / n:.4f} accuracy {correct / n:.4f} val_loss {val_loss:.4f}")

net.eval()
with torch.no_grad():
    predicted = (torch.sigmoid(net(X_test)) > 0.5).int().numpy()
print(confusion_matrix(y_test.numpy(), predicted))
print(f"test balanced accuracy {balanced_accuracy_score(y_test.numpy(), predicted):.4f}")
