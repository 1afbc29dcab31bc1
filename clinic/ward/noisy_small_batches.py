"""Plain SGD with batches of two on noisy data: test R2 about 0.47, of 0.6 possible."""

import torch
from sklearn.datasets import make_friedman1
from torch import nn

torch.manual_seed(16)
x, y = make_friedman1(n_samples=3000, noise=4.0, random_state=16)
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
x = (x - x[:2000].mean(dim=0)) / x[:2000].std(dim=0)
y = (y - y[:2000].mean()) / y[:2000].std()
x_train, y_train, x_test, y_test = x[:2000], y[:2000], x[2000:], y[2000:]

model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
criterion = nn.MSELoss()

for epoch in range(1, 4):
    total_loss = 0.0
    for batch in torch.randperm(2000).split(2):
        loss = criterion(model(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_loss += loss.item() / 1000
    print(f"epoch {epoch}: training loss {total_loss:.3f}")

with torch.no_grad():
    r2 = 1 - criterion(model(x_test), y_test) / y_test.var()
print(f"test R2 {r2.item():.3f}")
