"""Does the larger of two marked numbers come first? A small transformer on short sequences."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

LENGTH, NUM_TOKENS = 8, 12


class OrderModel(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.token = nn.Embedding(NUM_TOKENS, dim)
        self.position = nn.Embedding(LENGTH, dim)
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.head = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, tokens):
        places = torch.arange(LENGTH).expand_as(tokens)
        x = self.token(tokens) + self.position(places)
        normed = self.norm(x)
        x = x + self.attention(normed, normed, normed, need_weights=False)[0]
        return self.head(x.mean(dim=1))


def make_data(count):
    """Tokens 10 and 11 appear once each; the label says which of them comes first."""
    tokens = torch.randint(0, 10, (count, LENGTH))
    spots = torch.rand(count, LENGTH).argsort(dim=1)[:, :2]
    tokens.scatter_(1, spots, torch.tensor([10, 11]).expand(count, 2))
    return TensorDataset(tokens, (spots[:, 0] < spots[:, 1]).long())


def main():
    torch.manual_seed(1)
    train_loader = DataLoader(make_data(2400), batch_size=48, shuffle=True)
    test_loader = DataLoader(make_data(600), batch_size=200)
    model = OrderModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(7):
        model.train()
        for tokens, label in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(tokens), label)
            loss.backward()
            optimizer.step()
        model.eval()
        hits = 0
        with torch.no_grad():
            for tokens, label in test_loader:
                hits += (model(tokens).argmax(dim=1) == label).sum().item()
        print(f"epoch {epoch + 1}: test accuracy {hits / 600:.3f}")


if __name__ == "__main__":
    main()
