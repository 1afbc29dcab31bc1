"""Sharpness-aware minimisation (two passes per step) on digits: test accuracy about 0.97."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class SharpnessAware:
    """Climb to the worst nearby point, take the gradient there, and descend from the original."""

    def __init__(self, model, optimizer, rho=0.05):
        self.model, self.optimizer, self.rho = model, optimizer, rho
        self.shifts = {}

    @torch.no_grad()
    def ascend(self):
        params = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in params]).norm()
        for p in params:
            shift = self.rho * p.grad / (norm + 1e-12)
            p.add_(shift)
            self.shifts[p] = shift
        self.optimizer.zero_grad()

    @torch.no_grad()
    def descend(self):
        for p, shift in self.shifts.items():
            p.sub_(shift)
        self.shifts.clear()
        self.optimizer.step()
        self.optimizer.zero_grad()


torch.manual_seed(0)
bunch = load_digits()
features = torch.tensor(bunch.data, dtype=torch.float32) / 16
features = (features - features.mean()) / features.std()
dataset = TensorDataset(features, torch.tensor(bunch.target))
train_set, test_set = random_split(dataset, [1400, 397])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_x, test_y = next(iter(DataLoader(test_set, batch_size=397)))

model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))
base = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-3)
sam = SharpnessAware(model, base)
criterion = nn.CrossEntropyLoss()

for epoch in range(9):
    model.train()
    running = 0.0
    for x, y in train_loader:
        loss = criterion(model(x), y)
        loss.backward()
        sam.ascend()
        criterion(model(x), y).backward()
        sam.descend()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        logits = model(test_x)
        test_loss = criterion(logits, test_y).item()
    print(f"epoch {epoch:2d} train {running / len(train_loader):.4f} test {test_loss:.4f}")

print(f"test accuracy {(logits.argmax(1) == test_y).float().mean().item():.4f}")
