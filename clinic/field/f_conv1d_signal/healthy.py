"""
600 short recordings, one channel: is there a burst in it or not?
Small 1-D convolutional network, binary cross-entropy on its only output.
"""
import numpy as np
import torch
import torch.nn as nn

SEED = 42
N, LENGTH = 600, 100
EPOCHS = 15


def make_recordings(rng):
    t = np.arange(LENGTH)
    x = np.zeros((N, LENGTH), dtype=np.float32)
    y = (rng.random(N) < 0.55).astype(np.float32)
    for i in range(N):
        x[i] = 0.6 * rng.standard_normal(LENGTH)
        x[i] += 0.5 * np.sin(2 * np.pi * t / rng.uniform(40, 90) + rng.uniform(0, 6.28))
        if y[i]:
            at = rng.integers(15, LENGTH - 15)
            x[i] += 1.8 * np.sin(2 * np.pi * t / 6) * np.exp(-((t - at) / 7.0) ** 2)
    x = (x - x.mean()) / x.std()
    return x[:, None, :], y[:, None]


class BurstDetector(nn.Module):
    def __init__(self, kernel=9, channels=20):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, channels, kernel),
            nn.ReLU(),
            nn.MaxPool1d(8),
            nn.Dropout(0.2),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(channels * ((LENGTH - kernel + 1) // 8), 50),
            nn.ReLU(),
            nn.Linear(50, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def accuracy(model, x, y):
    model.eval()
    with torch.inference_mode():
        hit = (model(x).round() == y).float().mean()
    model.train()
    return float(hit)


def main():
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    x, y = make_recordings(rng)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    x_train, y_train, x_test, y_test = x[:440], y[:440], x[440:], y[440:]

    model = BurstDetector()
    criterion = nn.BCELoss()
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.001)

    batch = 8
    for epoch in range(1, EPOCHS + 1):
        shuffled = rng.permutation(len(x_train))
        losses = []
        for start in range(0, len(shuffled), batch):
            rows = torch.as_tensor(shuffled[start:start + batch])
            optimizer.zero_grad()
            loss = criterion(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"[{epoch}/{EPOCHS}] loss={np.mean(losses):.3f} train={accuracy(model, x_train, y_train):.3f} "
              f"test={accuracy(model, x_test, y_test):.3f}")

    print(f"test accuracy {accuracy(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
