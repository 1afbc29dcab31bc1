"""From ten process settings to four measured qualities (standardised)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 12
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

m, n = 10, 4
settings = rng.normal(size=(1500, m))
mixing = rng.normal(size=(m, n)) / np.sqrt(m)
qualities = settings @ mixing + 0.4 * np.sin(settings[:, :n]) + 0.1 * rng.normal(size=(1500, n))
qualities = (qualities - qualities.mean(0)) / qualities.std(0)

data = TensorDataset(torch.tensor(settings, dtype=torch.float32), torch.tensor(qualities, dtype=torch.float32))
train_set, test_set = random_split(data, [1200, 300], generator=torch.Generator().manual_seed(SEED))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=100)

model = nn.Sequential(
    nn.Linear(m, 100),
    nn.Sigmoid(),
    nn.Linear(100, 80),
    nn.Sigmoid(),
    nn.Linear(80, n),
    nn.Softmax(dim=1),
)
loss_function = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)


def test_error():
    model.eval()
    squares = 0.0
    with torch.no_grad():
        for x, y in test_loader:
            squares += ((model(x) - y) ** 2).sum().item()
    return squares / (len(test_set) * n)


for epoch in range(30):
    model.train()
    losses = []
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if (epoch + 1) % 5 == 0:
        print(f"epoch {epoch + 1:3d}  loss {np.mean(losses):8.4f}  held-out squared error {test_error():.4f}")

print(f"test mse {test_error():.4f}")
