"""Friedman's first function of ten features, by a small net and SGD with momentum."""

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from torch import nn, optim


class Regressor(nn.Module):
    def __init__(self, num_features, width=48):
        super().__init__()
        self.hidden = nn.Linear(num_features, width)
        self.middle = nn.Linear(width, width)
        self.output = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        x = torch.relu(self.middle(x))
        return self.output(x).squeeze(-1)


def load(seed):
    x, y = make_friedman1(n_samples=1600, noise=0.8, random_state=seed)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def main():
    torch.manual_seed(12)
    x, y = load(12)
    x_train, y_train, x_valid, y_valid = x[:1200], y[:1200], x[1200:], y[1200:]
    model = Regressor(x.shape[1])
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    order = np.random.default_rng(12)
    for epoch in range(20):
        model.train()
        for rows in np.array_split(order.permutation(1200), 100):
            rows = torch.from_numpy(rows)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(x_valid), y_valid).item()
        print(f"epoch {epoch:2d}: validation mse {error:.4f}")
    print(f"validation R2 {1 - error / y_valid.var().item():.4f}")


if __name__ == "__main__":
    main()
