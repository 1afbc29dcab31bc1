import torch
import torch.nn.functional as F
from sklearn.datasets import make_friedman1
from torch import nn

SEED = 5
torch.manual_seed(SEED)

X, y = make_friedman1(n_samples=1200, n_features=8, noise=0.5, random_state=SEED)
X = torch.from_numpy(X).float()
y = torch.from_numpy(y).float()
X_train, y_train = X[:900], y[:900]
X_test, y_test = X[900:], y[900:]

x_mean, x_std = X_train.mean(0), X_train.std(0)
X_train, X_test = (X_train - x_mean) / x_std, (X_test - x_mean) / x_std
y_mean, y_std = y_train.mean(), y_train.std()
y_train, y_test = (y_train - y_mean) / y_std, (y_test - y_mean) / y_std

model = nn.Sequential(
    nn.Linear(8, 40),
    nn.ReLU(),
    nn.Linear(40, 40),
    nn.ReLU(),
    nn.Linear(40, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(30):
    order = torch.randperm(len(X_train))
    epoch_loss = 0.0
    for start in range(0, len(order), 36):
        idx = order[start:start + 36]
        prediction = model(X_train[idx]).squeeze(1)
        loss = F.mse_loss(prediction, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(idx)
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "train loss %.4f" % (epoch_loss / len(order)))

model.eval()
with torch.no_grad():
    test_mse = (model(X_test)[:, 0] - y_test).pow(2).mean().item()
print("test mse %.3f" % test_mse)
