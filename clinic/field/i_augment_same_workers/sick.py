import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SEED = 11
CROP = 48


class CropDataset(Dataset):
    """A few long recordings per class; every item is a random crop, shifted, scaled and noisy."""

    def __init__(self, recordings, labels, length, train):
        self.recordings = recordings
        self.labels = labels
        self.length = length
        self.train = train

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        k = np.random.randint(len(self.recordings))
        start = np.random.randint(self.recordings.shape[1] - CROP)
        x = self.recordings[k, start:start + CROP].copy()
        if self.train:
            x = x * np.random.uniform(0.7, 1.3) + 0.3 * np.random.randn(CROP)
        return torch.from_numpy(x.astype(np.float32))[None], int(self.labels[k])


def record(rng, n_per_class, length):
    xs, ys = [], []
    t = np.arange(length)
    for c in range(6):
        for _ in range(n_per_class):
            f = 0.15 + 0.12 * c
            carrier = np.sin(f * t + rng.uniform(0, 6.28))
            wobble = np.cumsum(rng.normal(size=length)) * 0.05
            xs.append(carrier * np.cos(0.05 * t + rng.uniform(0, 6.28)) + np.sin(wobble) + 0.3 * rng.normal(size=length))
            ys.append(c)
    xs = np.array(xs)
    xs = (xs - xs.mean()) / xs.std()
    return xs, np.array(ys)


def seed_worker(worker_id):
    np.random.seed(SEED)


def main():
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    train_x, train_y = record(rng, 20, 600)
    test_x, test_y = record(rng, 10, 600)

    train_set = CropDataset(train_x, train_y, 384, train=True)
    loader = DataLoader(train_set, batch_size=32, shuffle=True, num_workers=2, worker_init_fn=seed_worker)

    # fixed crops for testing
    starts = range(0, 600 - CROP, 60)
    xt = torch.tensor(np.array([r[s:s + CROP] for r in test_x for s in starts]), dtype=torch.float32)[:, None]
    yt = torch.tensor(np.repeat(test_y, len(starts)))

    net = nn.Sequential(
        nn.Conv1d(1, 16, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Linear(32 * 12, 64), nn.ReLU(), nn.Linear(64, 6),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

    for epoch in range(16):
        net.train()
        running = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        net.eval()
        with torch.no_grad():
            out = net(xt)
            acc = (out.argmax(1) == yt).float().mean().item()
            vl = criterion(out, yt).item()
        print(f"[{epoch:02d}] train {running / len(loader):.3f} val {vl:.3f} acc {acc:.3f}")
    print(f"test accuracy {acc:.4f}")


if __name__ == "__main__":
    main()
