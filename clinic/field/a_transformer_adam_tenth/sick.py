"""A small transformer reads digits row by row."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 3
torch.manual_seed(SEED)

digits = load_digits()
x = torch.tensor((digits.images - 4.9) / 6.0, dtype=torch.float32)
y = torch.tensor(digits.target)
train_idx, test_idx = train_test_split(
    torch.arange(len(y)).numpy(), test_size=0.3, random_state=SEED
)
x_train, y_train, x_test, y_test = x[train_idx], y[train_idx], x[test_idx], y[test_idx]


class RowTransformer(nn.Module):
    def __init__(self, width=32, heads=4, depth=1, classes=10):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, 8, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, dim_feedforward=64, dropout=0.1, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(width, classes)

    def forward(self, rows):
        tokens = self.embed(rows) + self.position
        return self.head(self.encoder(tokens).mean(dim=1))


model = RowTransformer()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)


def evaluate():
    model.eval()
    with torch.no_grad():
        logits = model(x_test)
        return F.cross_entropy(logits, y_test).item(), (
            logits.argmax(1) == y_test
        ).float().mean().item()


for epoch in range(14):
    model.train()
    for batch in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
    test_loss, test_accuracy = evaluate()
    print(
        f"epoch {epoch:2d} | train {loss.item():.4f} | test {test_loss:.4f} | accuracy {test_accuracy:.3f}"
    )

print(f"test accuracy {test_accuracy:.3f}")
