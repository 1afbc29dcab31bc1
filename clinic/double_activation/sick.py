"""Benign or malignant: a binary classifier on the breast cancer table."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(4)

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=4, stratify=y)
scaler = StandardScaler().fit(X_train)
X_train, X_test = (torch.tensor(scaler.transform(part)).float() for part in (X_train, X_test))
y_train, y_test = (torch.tensor(part).float().unsqueeze(1) for part in (y_train, y_test))

model = nn.Sequential(
    nn.Linear(30, 16),
    nn.ReLU(),
    nn.Linear(16, 1),
    nn.ReLU(),
    nn.Sigmoid(),
)
loss_fn = nn.BCELoss()
opt = torch.optim.Adam(model.parameters(), lr=0.005)


def accuracy(x, labels):
    with torch.no_grad():
        return ((model(x) > 0.5) == (labels > 0.5)).float().mean().item()


for epoch in range(25):
    for rows in torch.randperm(len(X_train)).split(40):
        loss = loss_fn(model(X_train[rows]), y_train[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            held_out = loss_fn(model(X_test), y_test).item()
        print(f"epoch {epoch + 1}  train {loss.item():.3f}  test {held_out:.3f}")

print(f"test accuracy {accuracy(X_test, y_test):.3f}")
