"""Regression with dropout left on for Monte Carlo prediction: test RMSE about 0.15 as the noise, wider outside the data."""

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

x = torch.rand(1500, 1) * 4 - 2
y = torch.sin(2 * x) + 0.3 * x + 0.15 * torch.randn_like(x)
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]

model = nn.Sequential(
    nn.Linear(1, 64),
    nn.LeakyReLU(0.1),
    nn.Dropout(0.05),
    nn.Linear(64, 64),
    nn.LeakyReLU(0.1),
    nn.Dropout(0.05),
    nn.Linear(64, 1),
)
optimizer = optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-5)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=12, gamma=0.3)
loss_fn = nn.MSELoss()
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)

model.train()
for epoch in range(30):
    running = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        running += loss.item() / len(loader)
    scheduler.step()
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1}: loss {running:.4f}")


def monte_carlo(inputs, passes=50):
    """Dropout stays active: every pass is a draw from the approximate posterior."""
    model.train()
    with torch.no_grad():
        draws = torch.stack([model(inputs) for _ in range(passes)])
    return draws.mean(dim=0), draws.std(dim=0)


mean, spread = monte_carlo(x_test)
_, far_spread = monte_carlo(torch.linspace(3, 4, 50).unsqueeze(1))
print(f"spread inside {spread.mean().item():.3f}, outside {far_spread.mean().item():.3f}")
print(f"test RMSE {loss_fn(mean, y_test).sqrt().item():.4f}")
