import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn


class MLP(nn.Module):
    def __init__(self, num_inputs, num_hidden, num_classes):
        super().__init__()
        self.hidden1 = nn.Linear(num_inputs, num_hidden)
        self.hidden2 = nn.Linear(num_hidden, num_hidden)
        self.output = nn.Linear(num_hidden, num_classes)
        self.act = nn.GELU()

    def forward(self, x):
        x = self.act(self.hidden1(x))
        x = self.act(self.hidden2(x))
        return self.output(x)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(dim=-1) == y).float().mean().item()


def parse_args():
    parser = argparse.ArgumentParser(description="Train a small network on the digits.")
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=6)
    return parser.parse_known_args()[0]


if __name__ == "__main__":
    args = parse_args()
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    digits = load_digits()
    order = rng.permutation(len(digits.data))
    data = torch.from_numpy(digits.data[order]).float() / 16
    data = (data - data.mean()) / data.std()
    target = torch.from_numpy(digits.target[order])
    train_x, val_x = data[:1400], data[1400:]
    train_y, val_y = target[:1400], target[1400:]

    model = MLP(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        model.train()
        shuffled = torch.from_numpy(rng.permutation(len(train_x)))
        for batch in shuffled.split(args.batch_size):
            loss = loss_fn(model(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{epoch + 1:2d}  loss {loss.item():.4f}  val {accuracy(model, val_x, val_y):.3f}")
    print(f"validation accuracy {accuracy(model, val_x, val_y):.3f}")
