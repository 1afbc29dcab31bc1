"""Three quantiles at once, (N, 1) targets against (N, 3) predictions on purpose: coverage of 10-90% about 0.80."""

import torch
from torch import nn

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def pinball(prediction, target):
    """prediction is (N, 3), target is (N, 1): every quantile looks at the same observation."""
    error = target - prediction
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


def sample(n):
    x = 2 * torch.rand(n, 2) - 1
    spread = 0.2 + 0.4 * x[:, 1:].abs()
    return x, torch.sin(3 * x[:, :1]) + spread * torch.randn(n, 1)


def main():
    torch.manual_seed(12)
    x_train, y_train = sample(4000)
    x_test, y_test = sample(2000)
    model = nn.Sequential(
        nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, len(QUANTILES))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.85)
    for epoch in range(15):
        model.train()
        for rows in torch.randperm(len(x_train)).split(100):
            loss = pinball(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 3 == 2:
            model.eval()
            with torch.no_grad():
                value = pinball(model(x_test), y_test)
            print(f"epoch {epoch + 1}: last batch {loss.item():.4f} test {value.item():.4f}")

    model.eval()
    with torch.no_grad():
        low, middle, high = model(x_test).unbind(1)
    y = y_test.squeeze(1)
    print(f"below the median {(y < middle).float().mean().item():.3f}")
    print(f"10-90% coverage {((y > low) & (y < high)).float().mean().item():.3f}")


if __name__ == "__main__":
    main()
