"""Five-fold cross-validation on breast cancer, one fresh network per fold: mean accuracy about 0.975."""

import statistics

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build(features):
    return nn.Sequential(
        nn.Linear(features, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1), nn.Flatten(0)
    )


def run_fold(x_train, y_train, x_valid, y_valid, epochs=8):
    mean, std = x_train.mean(dim=0), x_train.std(dim=0)
    x_train, x_valid = (x_train - mean) / std, (x_valid - mean) / std
    model = build(x_train.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
    criterion = nn.BCEWithLogitsLoss()
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)
    for _ in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        train_loss = criterion(model(x_train), y_train).item()
        logits = model(x_valid)
        valid_loss = criterion(logits, y_valid).item()
    accuracy = ((logits > 0) == (y_valid > 0.5)).float().mean().item()
    return train_loss, valid_loss, accuracy


if __name__ == "__main__":
    torch.manual_seed(0)
    data, target = load_breast_cancer(return_X_y=True)
    x = torch.tensor(data, dtype=torch.float32)
    y = torch.tensor(target, dtype=torch.float32)
    scores = []
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
    for fold, (train, valid) in enumerate(folds.split(data, target)):
        train_loss, valid_loss, accuracy = run_fold(x[train], y[train], x[valid], y[valid])
        scores.append(accuracy)
        print(f"fold {fold}: train {train_loss:.3f} valid {valid_loss:.3f} accuracy {accuracy:.4f}")
    print(f"accuracy {statistics.mean(scores):.4f} +- {statistics.stdev(scores):.4f}")
