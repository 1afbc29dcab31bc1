"""Sentence classifier with several parallel convolutions whose results are merged."""
import random

import torch
import torch.nn as nn

SEED = 2
VOCAB = 60
LENGTH = 24
random.seed(SEED)
torch.manual_seed(SEED)


class MergeLayer(nn.Module):
    """Feeds the same input to every sub-layer and concatenates their outputs."""

    def __init__(self, layers, dim=1):
        super().__init__()
        self._layers = list(layers)
        self._dim = dim

    def forward(self, x):
        return torch.cat([layer(x) for layer in self._layers], dim=self._dim)


def conv_pool(emb_dim, filters, kernel):
    return nn.Sequential(nn.Conv1d(emb_dim, filters, kernel), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())


class ConvClassifier(nn.Module):
    def __init__(self, emb_dim=16, filters=8, classes=4):
        super().__init__()
        self.embedder = nn.Embedding(VOCAB, emb_dim)
        self.convs = MergeLayer([conv_pool(emb_dim, filters, k) for k in (2, 3, 4)])
        self.dropout = nn.Dropout(0.1)
        self.dense = nn.Linear(3 * filters, classes)

    def forward(self, tokens):
        x = self.embedder(tokens).transpose(1, 2)
        return self.dense(self.dropout(self.convs(x)))


# every class is marked by one of its phrases, somewhere among filler words
phrases = [[tuple(random.sample(range(20), 3)) for _ in range(3)] for _ in range(4)]


def sentence(label):
    words = [random.randrange(VOCAB) for _ in range(LENGTH)]
    at = random.randrange(LENGTH - 3)
    words[at:at + 3] = random.choice(phrases[label])
    return words


def corpus(n):
    labels = [random.randrange(4) for _ in range(n)]
    return torch.tensor([sentence(y) for y in labels]), torch.tensor(labels)


train_x, train_y = corpus(1600)
dev_x, dev_y = corpus(500)

model = ConvClassifier()
print("trainable variables:", sum(p.numel() for p in model.parameters()))
loss_fn = nn.CrossEntropyLoss()
optim = torch.optim.Adam(model.parameters(), lr=3e-3)

best = 0.0
for epoch in range(1, 11):
    model.train()
    order = list(range(len(train_x)))
    random.shuffle(order)
    seen = 0.0
    for i in range(0, len(order), 32):
        pick = torch.tensor(order[i:i + 32])
        optim.zero_grad()
        loss = loss_fn(model(train_x[pick]), train_y[pick])
        loss.backward()
        optim.step()
        seen += loss.item() * len(pick)
    model.eval()
    with torch.no_grad():
        logits = model(dev_x)
        acc = (logits.argmax(1) == dev_y).float().mean().item()
    print(f"epoch {epoch} train loss {seen / len(order):.4f} dev loss {loss_fn(logits, dev_y).item():.4f} dev acc {acc:.4f}")

print(f"test accuracy {acc:.4f}")
