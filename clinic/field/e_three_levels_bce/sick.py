# how many of the topics does a document touch?
import numpy as np
import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

SEED = 40
torch.manual_seed(SEED)

X, Y = make_multilabel_classification(
    n_samples=1300, n_features=4, n_classes=2, n_labels=1, length=120, random_state=SEED)
y = Y.sum(axis=1)

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=300, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)
y_test = torch.tensor(y_test, dtype=torch.float32).view(-1, 1)

model = nn.Sequential(
    nn.Linear(4, 10), nn.ReLU(),
    nn.Linear(10, 20), nn.ReLU(),
    nn.Linear(20, 30), nn.ReLU(),
    nn.Linear(30, 40), nn.ReLU(),
    nn.Linear(40, 50), nn.ReLU(),
    nn.Linear(50, 1),
)
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

batch_size = 10
for epoch in range(14):
    model.train()
    perm = torch.randperm(len(X_train))
    losses = []
    for i in range(0, len(perm), batch_size):
        rows = perm[i:i + batch_size]
        loss = loss_fn(model(X_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {np.mean(losses):.4f}")

model.eval()
with torch.no_grad():
    predicted = torch.sigmoid(model(X_test)).round()
print(f"test accuracy {(predicted == y_test).float().mean().item():.3f}")
