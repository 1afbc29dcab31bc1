"""Progress of diabetes from ten measurements, by a small network."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(9)

features, progress = load_diabetes(return_X_y=True)
features = features / features.std(axis=0)
x_train, x_test, y_train, y_test = (
    torch.tensor(part.astype(np.float32))
    for part in train_test_split(features, progress, test_size=0.25, random_state=9)
)
center, scale = y_train.mean(), y_train.std()


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 32)
        self.output = nn.Linear(32, 1)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x)))[:, 0]


model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(30):
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), 32):
        batch = order[start : start + 32]
        target = (y_train[batch] - center) / scale
        loss = nn.functional.mse_loss(model(x_train[batch]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        predicted = model(x_test) * scale + center
    error = (predicted - y_test).abs().mean().item()
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1} mean absolute error {error:.1f}")

baseline = (y_test - center).abs().mean().item()
print(f"mean absolute error {error:.1f}, of always guessing the mean {baseline:.1f}")
