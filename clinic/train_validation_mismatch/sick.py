"""Handwritten digits with a residual multi-layer perceptron and a cosine schedule."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(nn.functional.gelu(self.inner(self.norm(x))))


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 48), Block(48), Block(48), nn.Linear(48, 10))


def evaluate(model: nn.Module, loader: DataLoader, criterion: nn.Module) -> tuple[float, float]:
    model.eval()
    loss = hits = count = 0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            loss += criterion(scores, y).item() * len(y)
            hits += (scores.argmax(dim=1) == y).sum().item()
            count += len(y)
    model.train()
    return loss / count, hits / count


def main() -> None:
    torch.manual_seed(11)
    pixels, target = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(
        torch.tensor(pixels, dtype=torch.float32), torch.tensor(target), random_state=0
    )
    mean, std = x_train.mean(), x_train.std()
    x_train = (x_train - mean) / std

    train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=48, shuffle=True)
    val_loader = DataLoader(TensorDataset(x_val, y_val), batch_size=150)
    model = build()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    epochs = 8
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train_loader))
    for epoch in range(epochs):
        for x, y in train_loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        val_loss, val_accuracy = evaluate(model, val_loader, criterion)
        print(f"epoch {epoch}: validation loss {val_loss:.3f} accuracy {val_accuracy:.3f}")
    print(f"validation accuracy {val_accuracy:.3f}")


if __name__ == "__main__":
    main()
