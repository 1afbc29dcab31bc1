"""Will the machine fail within a week?  Readings come from a log file with gaps."""
import csv
import io

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_classification

SEED = 17


def write_log(rng):
    """The readings as the logger wrote them: a lost reading is an empty field."""
    x, y = make_classification(
        n_samples=1500, n_features=10, n_informative=6, n_clusters_per_class=2, class_sep=1.2, random_state=SEED
    )
    x = x * rng.uniform(0.5, 20, size=10) + rng.uniform(-30, 30, size=10)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([f"sensor{i}" for i in range(10)] + ["failed"])
    for values, label in zip(x, y):
        row = [f"{v:.3f}" for v in values]
        if rng.random() < 0.04:
            row[rng.integers(0, 10)] = ""
        writer.writerow(row + [int(label)])
    return out.getvalue()


def read_log(text):
    table = np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1)
    return table[:, :-1], table[:, -1]


def split_and_scale(x, y, rng):
    order = rng.permutation(len(x))
    train, test = order[:1200], order[1200:]
    mean, std = np.nanmean(x[train], axis=0), np.nanstd(x[train], axis=0)
    x = np.where(np.isnan(x), mean, x)            # gaps: the mean of the sensor
    x = (x - mean) / std
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return t(x[train]), t(y[train])[:, None], t(x[test]), t(y[test])[:, None]


class FailureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 32), nn.ReLU(),
            nn.Linear(32, 16), nn.ReLU(),
            nn.Linear(16, 1),
        )

    def forward(self, x):
        return torch.sigmoid(self.layers(x))


def main():
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    x, y = read_log(write_log(rng))
    x_train, y_train, x_test, y_test = split_and_scale(x, y, rng)

    model = FailureNet()
    criterion = nn.BCELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

    for epoch in range(15):
        model.train()
        losses = []
        for rows in torch.randperm(len(x_train)).split(16):
            optimizer.zero_grad()
            loss = criterion(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            p = model(x_test)
            val_loss = criterion(p, y_test).item()
            acc = ((p > 0.5).float() == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f} val_loss {val_loss:.4f} val_acc {acc:.4f}")

    print(f"test accuracy {acc:.4f}")


if __name__ == "__main__":
    main()
