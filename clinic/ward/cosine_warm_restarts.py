"""Diabetes progression with cosine warm restarts (loss bumps at each restart): test R2 about 0.45."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts


def main():
    torch.manual_seed(3)
    data, target = load_diabetes(return_X_y=True)
    x, x_test, y, y_test = train_test_split(data, target, test_size=0.3, random_state=3)
    x_mean, x_std, y_mean, y_std = x.mean(0), x.std(0), y.mean(), y.std()
    x, x_test = (torch.tensor((part - x_mean) / x_std).float() for part in (x, x_test))
    y, y_test = (torch.tensor((part - y_mean) / y_std).float() for part in (y, y_test))

    model = nn.Sequential(nn.Linear(10, 16), nn.SiLU(), nn.Dropout(0.3), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2, eta_min=1e-5)
    criterion = nn.MSELoss()
    batch = 32
    for epoch in range(70):
        model.train()
        order = torch.randperm(len(x))
        batches = len(x) / batch
        losses = []
        for number, start in enumerate(range(0, len(x), batch)):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            loss = criterion(model(x[rows]).squeeze(1), y[rows])
            loss.backward()
            optimizer.step()
            scheduler.step(epoch + number / batches)
            losses.append(loss.item())
        if epoch % 10 in {0, 9}:
            rate = optimizer.param_groups[0]["lr"]
            print(f"epoch {epoch:2d} lr {rate:.5f} train loss {sum(losses) / len(losses):.4f}")

    model.eval()
    with torch.no_grad():
        train_error = criterion(model(x).squeeze(1), y).item()
        test_error = criterion(model(x_test).squeeze(1), y_test).item()
    print(f"train MSE {train_error:.4f} test MSE {test_error:.4f}")
    print(f"test R2 {1 - test_error / y_test.var(unbiased=False).item():.4f}")


if __name__ == "__main__":
    main()
