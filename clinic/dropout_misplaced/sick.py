import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(9)


class Regressor(nn.Module):
    def __init__(self, features, hidden=64, drop=0.4):
        super().__init__()
        self.inner = nn.Linear(features, hidden)
        self.outer = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(drop)

    def forward(self, x):
        x = torch.relu(self.inner(x))
        x = self.outer(x)
        x = self.dropout(x)
        return x.squeeze(1)


X, y = make_friedman1(n_samples=1500, noise=0.5, random_state=9)
X = torch.tensor((X - X.mean(axis=0)) / X.std(axis=0)).float()
y = torch.tensor((y - y.mean()) / y.std()).float()
loader = DataLoader(TensorDataset(X[:1200], y[:1200]), batch_size=32, shuffle=True)
X_test, y_test = X[1200:], y[1200:]

model = Regressor(10)
loss_function = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(12):
    model.train()
    for features, target in loader:
        loss = loss_function(model(features), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        test_loss = loss_function(model(X_test), y_test).item()
    print(f"{epoch:2d} {test_loss:.4f}")
print(f"test mse {test_loss:.4f}")
