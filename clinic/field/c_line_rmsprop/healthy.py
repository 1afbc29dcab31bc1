"""Learn y = 5x from a hundred points with a single neuron."""

import numpy as np
import torch
from torch import nn

SEED = 7
np.random.seed(SEED)
torch.manual_seed(SEED)

x = np.linspace(1, 2, 100).reshape(-1, 1)
y = 5 * x

order = np.random.permutation(len(x))
train, test = order[:80], order[80:]
x_train = torch.tensor(x[train], dtype=torch.float32)
y_train = torch.tensor(y[train], dtype=torch.float32)
x_test = torch.tensor(x[test], dtype=torch.float32)
y_test = torch.tensor(y[test], dtype=torch.float32)

model = nn.Sequential(nn.Linear(1, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.05)

batch_size = 32
for epoch in range(200):
    model.train()
    shuffled = torch.randperm(len(x_train))
    total = 0.0
    for start in range(0, len(x_train), batch_size):
        batch = shuffled[start : start + batch_size]
        optimizer.zero_grad()
        loss = criterion(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 20 == 19:
        model.eval()
        with torch.no_grad():
            held_out = criterion(model(x_test), y_test).item()
        print(f"epoch {epoch + 1}: loss {total / len(x_train):.4f} val_loss {held_out:.4f}")

model.eval()
with torch.no_grad():
    mse = criterion(model(x_test), y_test).item()
weight, bias = model[0].weight.item(), model[0].bias.item()
print(f"y = {weight:.2f} x + {bias:.2f}")
print(f"test mse {mse:.4f}")
