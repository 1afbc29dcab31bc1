# binary classification of a csv with 3 columns
import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split

SEED = 7
np.random.seed(SEED)
torch.manual_seed(SEED)


def load_table(n=500):
    """age of the account (days), money spent, number of visits -> bought again?"""
    days = np.random.uniform(10, 3000, n)
    spent = np.random.gamma(2.0, 400.0, n)
    visits = np.random.poisson(12, n).astype(float)
    score = 1.3 * (days - 1500) / 860 - 1.1 * (spent - 800) / 560 + 1.6 * np.abs((visits - 12) / 3.5) - 1.2
    label = (score + 0.25 * np.random.randn(n) > 0).astype(np.float32)
    return np.stack([days, spent, visits], 1).astype(np.float32), label


X, Y = load_table()
X_train, X_test, y_train, y_test = train_test_split(X, Y, test_size=0.3, random_state=SEED)

X_train, X_test = torch.from_numpy(X_train), torch.from_numpy(X_test)
y_train, y_test = torch.from_numpy(y_train)[:, None], torch.from_numpy(y_test)[:, None]

model = nn.Sequential(
    nn.Linear(3, 12), nn.ReLU(),
    nn.Linear(12, 3), nn.ReLU(),
    nn.Linear(3, 1), nn.Sigmoid(),
)

criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

batch_size = 8
for epoch in range(30):
    order = torch.randperm(len(X_train))
    running = 0.0
    for start in range(0, len(order), batch_size):
        idx = order[start:start + batch_size]
        optimizer.zero_grad()
        out = model(X_train[idx])
        loss = criterion(out, y_train[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            val = criterion(model(X_test), y_test).item()
        model.train()
        print("epoch %d: loss %.4f - val_loss %.4f" % (epoch + 1, running / len(X_train), val))

model.eval()
with torch.no_grad():
    accuracy = ((model(X_test) > 0.5).float() == y_test).float().mean().item()
print("test accuracy %.3f" % accuracy)
