"""The course of diabetes after a year from ten measurements, by a wide net."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 90

torch.manual_seed(5)
diabetes = load_diabetes()
x = torch.tensor(diabetes.data, dtype=torch.float32)
x = (x - x.mean(dim=0)) / x.std(dim=0)
y = torch.tensor(diabetes.target, dtype=torch.float32).unsqueeze(1)
y = (y - y.mean()) / y.std()
loader = DataLoader(TensorDataset(x, y), batch_size=45, shuffle=True)

model = nn.Sequential(
    nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()

for epoch in range(EPOCHS):
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: {total / len(x):.3f}")
