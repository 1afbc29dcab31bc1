"""Pre-norm transformer encoder that reads digits row by row: test accuracy about 0.95."""

import torch
from sklearn.datasets import load_digits
from torch import nn


class RowTransformer(nn.Module):
    def __init__(self, dim=32, num_heads=4, num_layers=1, num_classes=10):
        super().__init__()
        self.embed = nn.Linear(8, dim)
        self.summary = nn.Parameter(torch.zeros(1, 1, dim))
        self.position = nn.Parameter(0.02 * torch.randn(1, 9, dim))
        layer = nn.TransformerEncoderLayer(
            d_model=dim,
            nhead=num_heads,
            dim_feedforward=2 * dim,
            dropout=0.1,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, rows):
        tokens = torch.cat([self.summary.expand(len(rows), -1, -1), self.embed(rows)], dim=1)
        states = self.encoder(tokens + self.position)
        return self.head(self.norm(states[:, 0]))


def main():
    torch.manual_seed(3)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    train, test = order[:1400], order[1400:]

    model = RowTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=250)
    criterion = nn.CrossEntropyLoss()

    model.train()
    for step in range(1, 251):
        batch = train[torch.randint(len(train), (64,))]
        loss = criterion(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}")

    model.eval()
    with torch.no_grad():
        accuracy = (model(images[test]).argmax(dim=1) == labels[test]).float().mean().item()
    print(f"test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
