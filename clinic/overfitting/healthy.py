"""Predict the progress of diabetes in one year from ten measurements of 200 patients."""

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn, optim

HIDDEN = 128
EPOCHS = 100
BATCH_SIZE = 25


class Regressor(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(num_features, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)


def load(num_train: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    data, target = load_diabetes(return_X_y=True)
    order = torch.randperm(len(target))
    x = torch.tensor(data, dtype=torch.float32)[order]
    y = torch.tensor(target, dtype=torch.float32)[order]
    x = (x - x[:num_train].mean(dim=0)) / x[:num_train].std(dim=0)
    y = (y - y[:num_train].mean()) / y[:num_train].std()
    return x[:num_train], y[:num_train], x[num_train:], y[num_train:]


@torch.no_grad()
def validation_loss(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    return nn.functional.mse_loss(model(x), y).item()


def main() -> None:
    torch.manual_seed(16)
    x_train, y_train, x_val, y_val = load(num_train=200)
    model = Regressor(num_features=x_train.shape[1])
    criterion = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)

    for epoch in range(1, EPOCHS + 1):
        model.train()
        train_loss = 0.0
        for batch in torch.randperm(len(x_train)).split(BATCH_SIZE):
            loss = criterion(model(x_train[batch]), y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(batch) / len(x_train)
        val_loss = validation_loss(model, x_val, y_val)
        if epoch % 10 == 0:
            print(f"epoch {epoch:3d}: training {train_loss:.3f}, validation {val_loss:.3f}")
    print(f"validation loss {val_loss:.3f}")


if __name__ == "__main__":
    main()
