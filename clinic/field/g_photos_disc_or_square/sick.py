"""Two kinds of photos: is there a round object or a square one? (small RGB pictures)"""
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader, random_split

SEED = 21
SIZE = 24
EPOCHS = 7


class Photos(Dataset):
    """Draws coloured discs (label 1) and squares (label 0) on a noisy background."""

    def __init__(self, n):
        g = torch.Generator().manual_seed(SEED)
        self.labels = torch.randint(0, 2, (n,), generator=g)
        yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        self.images = torch.rand(n, 3, SIZE, SIZE, generator=g) * 0.5
        for i in range(n):
            cy, cx = (torch.rand(2, generator=g) * 8 + 8).tolist()
            r = 4 + 3 * torch.rand(1, generator=g).item()
            if self.labels[i] == 1:
                mask = (yy - cy) ** 2 + (xx - cx) ** 2 < r * r * 1.27
            else:
                mask = torch.maximum((yy - cy).abs(), (xx - cx).abs()) < r
            colour = torch.rand(3, 1, generator=g) * 0.6 + 0.4
            self.images[i][:, mask] = colour
        self.images = (self.images - 0.5) / 0.5

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i].float()


def conv_block(c_in, c_out):
    return [nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


def build_model():
    return nn.Sequential(
        *conv_block(3, 12),
        *conv_block(12, 24),
        *conv_block(24, 32),
        nn.Flatten(),
        nn.Linear(32 * 3 * 3, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 1),
        nn.Softmax(dim=-1),
    )


def main():
    torch.manual_seed(SEED)
    train_set, val_set = random_split(Photos(700), [550, 150])
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=100)

    model = build_model()
    criterion = nn.BCELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    for epoch in range(EPOCHS):
        model.train()
        total, hits = 0.0, 0
        for images, labels in train_loader:
            optimizer.zero_grad()
            outputs = model(images).squeeze(1)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            hits += (outputs.round() == labels).sum().item()

        model.eval()
        val_hits = 0
        with torch.no_grad():
            for images, labels in val_loader:
                val_hits += (model(images).squeeze(1).round() == labels).sum().item()
        print(f"[{epoch}] loss={total / len(train_set):.3f} acc={hits / len(train_set):.3f} "
              f"val_acc={val_hits / len(val_set):.3f}")
    print(f"test accuracy {val_hits / len(val_set):.3f}")


if __name__ == "__main__":
    main()
