"""Iris with batch normalisation, dropout and early stopping."""

import copy

import torch
import torch.nn as nn
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 13
torch.manual_seed(SEED)

X, y = load_iris(return_X_y=True)
scaler = StandardScaler()
scaler.fit_transform(X)

X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.4, stratify=y, random_state=SEED)
X_val, X_test, y_val, y_test = train_test_split(X_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=SEED)
X_train, X_val, X_test = (torch.FloatTensor(part) for part in (X_train, X_val, X_test))
y_train, y_val, y_test = (torch.LongTensor(part) for part in (y_train, y_val, y_test))

model = nn.Sequential(
    nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Dropout(0.3),
    nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Dropout(0.3),
    nn.Linear(4, 1),
    nn.Sigmoid(),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

best, best_state, patience = float("inf"), None, 0
for epoch in range(200):
    model.train()
    for batch in torch.randperm(len(X_train)).split(16):
        if len(batch) < 4:
            continue
        prediction = model(X_train[batch])
        loss = loss_fn(prediction, y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    model.eval()
    with torch.no_grad():
        val_loss = loss_fn(model(X_val), y_val).item()
    if epoch % 20 == 0:
        print(f"epoch {epoch}: loss {loss.item():.3f}, val_loss {val_loss:.3f}")
    if val_loss < best:
        best, best_state, patience = val_loss, copy.deepcopy(model.state_dict()), 0
    else:
        patience += 1
        if patience == 10:
            print(f"early stopping in epoch {epoch}")
            break

model.load_state_dict(best_state)
model.eval()
with torch.no_grad():
    accuracy = (model(X_test).argmax(dim=1) == y_test).float().mean().item()
print(f"test accuracy {accuracy:.4f}")
