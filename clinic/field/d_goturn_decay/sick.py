"""
A GOTURN-like tracker: two crops (previous frame, current frame) go through the same convolutions,
the head says where the object is now, as a box (x1, y1, x2, y2) in -1..1.
Pairs come one video at a time, so a batch is put together from smaller pieces.
"""
import numpy as np
import torch
import torch.nn as nn

SEED = 6
SIZE = 16
PIECES = 4               # pieces per batch
PIECE_SIZE = 8
ITERATIONS = 480
DECAY_EVERY = 180
GAMMA = 0.1
LR = 0.02


class GoNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.regressor = nn.Sequential(
            nn.Linear(2 * 16 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 4),
        )

    def forward(self, previous, current):
        both = torch.cat([self.convs(previous), self.convs(current)], dim=1)
        return self.regressor(both)


def make_video_pairs(n, rng):
    """Bright rectangles on a dim, noisy ground; in the second crop the object has moved and grown a little."""
    previous = 0.15 * rng.standard_normal((n, 1, SIZE, SIZE))
    current = 0.15 * rng.standard_normal((n, 1, SIZE, SIZE))
    boxes = np.zeros((n, 4))
    for k in range(n):
        w, h = rng.integers(4, 8, size=2)
        x, y = (SIZE - w) // 2, (SIZE - h) // 2
        light = rng.uniform(0.7, 1.3)
        previous[k, 0, y:y + h, x:x + w] += light
        dx, dy = rng.integers(-4, 5, size=2)
        grow = rng.integers(-1, 2)
        x1, y1 = max(x + dx, 0), max(y + dy, 0)
        x2, y2 = min(x + dx + w + grow, SIZE), min(y + dy + h + grow, SIZE)
        current[k, 0, y1:y2, x1:x2] += light
        boxes[k] = x1, y1, x2, y2
    mean, std = previous.mean(), previous.std()
    to_tensor = lambda a: torch.tensor(a, dtype=torch.float32)
    return to_tensor((previous - mean) / std), to_tensor((current - mean) / std), to_tensor(boxes / SIZE * 2 - 1)


def pieces(data, rng):
    previous, current, boxes = data
    while True:
        order = rng.permutation(len(boxes))
        for start in range(0, len(order) - PIECE_SIZE + 1, PIECE_SIZE):
            rows = order[start:start + PIECE_SIZE]
            yield previous[rows], current[rows], boxes[rows]


def decay_learning_rate(optimizer, iteration):
    if iteration > 0 and iteration % DECAY_EVERY == 0:
        for group in optimizer.param_groups:
            group["lr"] *= GAMMA


def evaluate(model, data):
    model.eval()
    with torch.no_grad():
        error = (model(data[0], data[1]) - data[2]).abs().mean().item()
    model.train()
    return error


def main():
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    train, test = make_video_pairs(2000, rng), make_video_pairs(400, rng)
    model = GoNet()
    loss_fn = nn.L1Loss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4)

    stream = pieces(train, rng)
    iteration, seen, running = 0, 0, 0.0
    model.train()
    optimizer.zero_grad()
    while iteration < ITERATIONS:
        previous, current, boxes = next(stream)
        decay_learning_rate(optimizer, iteration)
        loss = loss_fn(model(previous, current), boxes) / PIECES
        loss.backward()
        running += loss.item()
        seen += 1
        if seen == PIECES:
            optimizer.step()
            optimizer.zero_grad()
            seen = 0
            iteration += 1
            if iteration % 40 == 0:
                print(f"iteration {iteration:4d}  loss {running / 40:.4f}  test {evaluate(model, test):.4f}")
                running = 0.0
    print(f"test error {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
