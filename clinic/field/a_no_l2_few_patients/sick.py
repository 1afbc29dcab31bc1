"""Healthy or ill from twenty measurements of few patients, a network far larger than the table."""

import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 3
L2 = 0.0
torch.manual_seed(SEED)

X, y = make_classification(
    n_samples=900,
    n_features=20,
    n_informative=6,
    n_redundant=0,
    n_clusters_per_class=2,
    class_sep=1.2,
    flip_y=0.15,
    random_state=SEED,
)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = nn.Sequential(
    nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2)
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=L2)
criterion = nn.CrossEntropyLoss()

for epoch in range(1, 61):
    model.train()
    train_loss = 0.0
    for rows in torch.randperm(len(X_train)).split(20):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(rows) / len(X_train)
    model.eval()
    with torch.no_grad():
        logits = model(X_test)
        test_loss = criterion(logits, y_test).item()
        accuracy = (logits.argmax(1) == y_test).float().mean().item()
    if epoch % 5 == 0:
        print(f"epoch {epoch}: train {train_loss:.4f} test {test_loss:.4f} accuracy {accuracy:.3f}")

print(f"test loss {test_loss:.4f}")
