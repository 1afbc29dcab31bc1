"""
Relations between pairs of concepts: 0 unrelated, 1 same concept, 2 first is the parent, 3 second is the parent.
The mentions come as vectors of a frozen encoder; a cross-attention-free pair scorer is trained on top.
"""
import copy

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LinearLR
from torch.utils.data import DataLoader, Dataset

SEED = 31
DIM = 24
RELATIONS = 4


class PairDataset(Dataset):
    def __init__(self, first, second, relation):
        self.first, self.second, self.relation = first, second, relation

    def __len__(self):
        return len(self.relation)

    def __getitem__(self, i):
        return self.first[i], self.second[i], self.relation[i]


def make_mentions(n_pairs, rng):
    """A child lies near its parent, further out along the direction 'more special'."""
    special = np.zeros(DIM)
    special[:4] = 1.0
    centre = rng.normal(size=(n_pairs, DIM))
    other = rng.normal(size=(n_pairs, DIM))
    relation = rng.integers(0, RELATIONS, size=n_pairs)
    blur = lambda: 0.35 * rng.normal(size=(n_pairs, DIM))
    first, second = centre + blur(), centre + blur()
    second[relation == 0] = other[relation == 0]
    second[relation == 2] += special
    first[relation == 3] += special
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return PairDataset(t(first), t(second), torch.from_numpy(relation))


class PairScorer(nn.Module):
    def __init__(self, dim, hidden=96):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3 * dim, hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, RELATIONS),
        )

    def forward(self, a, b):
        return self.mlp(torch.cat([a, b, (a - b).abs()], dim=-1))


class Experiment:
    def __init__(self, model, epochs):
        self.model = model
        self.epochs = epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3)
        self.scheduler = LinearLR(self.optimizer, 1.0, 0.1, total_iters=epochs)

    def training_step(self, batch):
        a, b, relation = batch
        scores = self.model(a, b)
        return self.criterion(scores, relation)

    def validation_step(self, batch):
        a, b, relation = batch
        probs = torch.softmax(self.model(a, b), dim=-1)
        loss = self.criterion(probs, relation)
        return loss.item() * len(relation), (probs.argmax(dim=-1) == relation).sum().item()

    def validate(self, loader):
        self.model.eval()
        with torch.no_grad():
            sums = [self.validation_step(batch) for batch in loader]
        n = len(loader.dataset)
        return sum(s[0] for s in sums) / n, sum(s[1] for s in sums) / n

    def fit(self, train_loader, valid_loader):
        best, best_state = float("inf"), None
        for epoch in range(self.epochs):
            self.model.train()
            losses = []
            for batch in train_loader:
                loss = self.training_step(batch)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            self.scheduler.step()
            valid_loss, valid_acc = self.validate(valid_loader)
            print(f"epoch {epoch:2d} train_loss={np.mean(losses):.4f} val_loss={valid_loss:.4f} val_acc={valid_acc:.4f}")
            if valid_loss < best:
                best, best_state = valid_loss, copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(best_state)
        return best


def main():
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    train_loader = DataLoader(make_mentions(3000, rng), batch_size=32, shuffle=True)
    valid_loader = DataLoader(make_mentions(600, rng), batch_size=200)
    experiment = Experiment(PairScorer(DIM), epochs=10)
    experiment.fit(train_loader, valid_loader)
    print(f"validation loss {experiment.validate(valid_loader)[0]:.4f}")


if __name__ == "__main__":
    main()
