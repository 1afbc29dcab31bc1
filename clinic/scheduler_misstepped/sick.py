import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)

EPOCHS = 12


def make_loaders():
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x / 16.0 - 0.5, dtype=torch.float32)
    y = torch.tensor(y)
    shuffled = torch.randperm(len(x))
    train, test = shuffled[:1400], shuffled[1400:]
    return (
        DataLoader(TensorDataset(x[train], y[train]), batch_size=40, shuffle=True),
        DataLoader(TensorDataset(x[test], y[test]), batch_size=200),
    )


def evaluate(model, loader):
    model.eval()
    loss, hits, total = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            loss += nn.functional.cross_entropy(scores, y, reduction="sum").item()
            hits += (scores.argmax(dim=1) == y).sum().item()
            total += len(y)
    return loss / total, hits / total


train_loader, test_loader = make_loaders()
model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))
optimizer = Adam(model.parameters(), lr=2e-3)
scheduler = StepLR(optimizer, step_size=5, gamma=0.3)

for epoch in range(EPOCHS):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
    test_loss, accuracy = evaluate(model, test_loader)
    print(f"epoch {epoch + 1}: loss {test_loss:.3f}, accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
