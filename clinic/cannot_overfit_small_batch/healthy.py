"""In which quarter of a small noisy picture is the bright spot?"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 8


def pictures(n: int) -> tuple[Tensor, Tensor]:
    """Noise with one bright spot; the label is the quarter where it lies."""
    x = 0.4 * torch.randn(n, 1, SIDE, SIDE)
    top = torch.randint(0, SIDE, (n,))
    left = torch.randint(0, SIDE, (n,))
    x[torch.arange(n), 0, top, left] += 4.0
    return (x - 0.06) / 0.64, 2 * (top >= SIDE // 2) + (left >= SIDE // 2)


class SpotFinder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 16, kernel_size=1)
        self.hidden = nn.Linear(16 * 16, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.features(x))
        x = F.avg_pool2d(x, 2).flatten(1)
        x = F.leaky_relu(self.hidden(x))
        return self.head(x)


def main() -> None:
    torch.manual_seed(9)
    x, y = pictures(1600)
    x_val, y_val = pictures(400)
    net = SpotFinder()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(6):
        net.train()
        for index in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(net(x[index]), y[index]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            scores = net(x_val)
            loss = F.cross_entropy(scores, y_val).item()
            accuracy = (scores.argmax(-1) == y_val).float().mean().item()
        print(f"epoch {epoch}: validation loss {loss:.3f}, accuracy {accuracy:.3f}")
    print(f"validation accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
