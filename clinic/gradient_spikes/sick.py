"""The adding problem: an RNN of rectified units reads numbers and adds up the two that are marked."""

import torch
import torch.nn as nn


class Adder(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(hidden, 1)

    def forward(self, sequence):
        states, _ = self.rnn(sequence)
        return self.out(states[:, -1]).squeeze(1)


def batch(size, length=16):
    numbers = torch.rand(size, length) * 2 - 1
    marks = torch.zeros(size, length)
    half = length // 2
    first, second = torch.randint(0, half, (size,)), torch.randint(half, length, (size,))
    rows = torch.arange(size)
    marks[rows, first] = marks[rows, second] = 1.0
    return torch.stack([numbers, marks], dim=2), numbers[rows, first] + numbers[rows, second]


def main():
    torch.manual_seed(3)
    model = Adder()
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    x_test, y_test = batch(500)
    for step in range(1, 601):
        x, y = batch(32)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                error = criterion(model(x_test), y_test).item()
            model.train()
            print(f"step {step}: test error {error:.4f}")
    print(f"test error {error:.4f}")


main()
