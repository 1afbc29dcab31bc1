"""Wine cultivars from their chemistry, three-fold cross-validation of a small dropout network."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)
BATCH_SIZE = 16


class WineNet(nn.Module):
    def __init__(self, num_features, num_classes):
        super().__init__()
        self.hidden = nn.Linear(num_features, 32)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.hidden(x))))


def fit(model, loader, epochs=25):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()


def score(model, loader):
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            loss += nn.functional.cross_entropy(logits, y, reduction="sum").item()
            correct += (logits.argmax(dim=1) == y).sum().item()
            count += len(y)
    return loss / count, correct / count


x, y = load_wine(return_X_y=True)
losses, accuracies = [], []
folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=21)
for fold, (train, test) in enumerate(folds.split(x, y)):
    mean, std = x[train].mean(axis=0), x[train].std(axis=0)
    scaled = torch.tensor((x - mean) / std, dtype=torch.float32)
    labels = torch.tensor(y)
    train_set = TensorDataset(scaled[train], labels[train])
    test_set = TensorDataset(scaled[test], labels[test])
    model = WineNet(x.shape[1], 3)
    fit(model, DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True))
    loss, accuracy = score(model, DataLoader(test_set, batch_size=64))
    losses.append(loss)
    accuracies.append(accuracy)
    print(f"fold {fold}: test loss {loss:.4f} accuracy {accuracy:.3f}")

print(f"test loss {np.mean(losses):.4f}")
