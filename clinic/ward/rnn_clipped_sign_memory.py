"""Plain tanh RNN that remembers the sign of a marked value, clipped gradients: test accuracy about 0.99."""

import torch
from torch import nn


class SignMemory(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="tanh", batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(hidden, 1)

    def forward(self, sequence):
        _, last = self.rnn(sequence)
        return self.out(last[0]).squeeze(1)


def batch(size, length=20):
    """Channel 0: the values, channel 1: a mark on the step to remember."""
    values = torch.randn(size, length)
    marks = torch.zeros(size, length)
    position = torch.randint(0, length // 2, (size,))
    marks[torch.arange(size), position] = 1.0
    label = (values[torch.arange(size), position] > 0).float()
    return torch.stack([values, marks], dim=2), label


def main():
    torch.manual_seed(0)
    model = SignMemory()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    criterion = nn.BCEWithLogitsLoss()
    for step in range(600):
        model.train()
        x, y = batch(64)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        if step % 75 == 0:
            print(f"step {step:3d} loss {loss.item():.4f} gradient norm {norm.item():.3f}")

    model.eval()
    with torch.no_grad():
        x, y = batch(2000)
        accuracy = ((model(x) > 0) == (y > 0.5)).float().mean().item()
    print(f"test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
