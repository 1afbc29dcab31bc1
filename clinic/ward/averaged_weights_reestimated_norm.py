"""Weight averaging, batch norm re-estimated afterwards: test accuracy about 0.98."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

NUM_EPOCHS = 14
AVERAGE_FROM = 8


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(dim=1) == y).float().mean().item()


def main():
    torch.manual_seed(23)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)
    order = torch.randperm(len(y))
    x_train, y_train, x_test, y_test = (
        x[order[:1300]],
        y[order[:1300]],
        x[order[1300:]],
        y[order[1300:]],
    )
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)

    model = nn.Sequential(
        nn.Linear(64, 48, bias=False), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    averaged = AveragedModel(model)
    scheduler = SWALR(optimizer, swa_lr=0.02, anneal_epochs=3)

    for epoch in range(1, NUM_EPOCHS + 1):
        model.train()
        for inputs, labels in loader:
            loss = F.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch >= AVERAGE_FROM:
            averaged.update_parameters(model)
            scheduler.step()
        print(f"epoch {epoch}: test accuracy {accuracy(model, x_test, y_test):.3f}")

    update_bn(loader, averaged)
    print(f"test accuracy of the average {accuracy(averaged, x_test, y_test):.3f}")


if __name__ == "__main__":
    main()
