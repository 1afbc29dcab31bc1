"""News topics from TF-IDF vectors: one hidden layer with dropout."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
WORDS, TOPICS, HIDDEN = 800, 12, 128

rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)


def tfidf(counts, idf):
    weighted = np.log1p(counts) * idf
    return weighted / np.linalg.norm(weighted, axis=1, keepdims=True)


# word counts: a topic's own words mixed into a common distribution
common = rng.dirichlet(np.full(WORDS, 0.5))
topic_words = rng.dirichlet(np.full(WORDS, 0.05), size=TOPICS)
topics = rng.integers(TOPICS, size=3600)
counts = np.stack(
    [rng.multinomial(rng.integers(20, 50), 0.6 * common + 0.4 * topic_words[t]) for t in topics]
)

train_counts, test_counts = counts[:2800], counts[2800:]
idf = np.log(len(train_counts) / (1 + (train_counts > 0).sum(0)))
x_train, x_test = tfidf(train_counts, idf), tfidf(test_counts, idf)
centre, scale = x_train.mean(), x_train.std()
x_train = torch.tensor((x_train - centre) / scale, dtype=torch.float32)
x_test = torch.tensor((x_test - centre) / scale, dtype=torch.float32)
y_train, y_test = torch.tensor(topics[:2800]), torch.tensor(topics[2800:])


class TopicNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(WORDS, HIDDEN)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(HIDDEN, TOPICS)
        nn.init.ones_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.dense(x))))


model = TopicNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)

for epoch in range(3):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = model(x_test)
    val_loss = criterion(logits, y_test).item()
    val_acc = (logits.argmax(1) == y_test).float().mean().item()
    print(
        f"epoch {epoch + 1}: loss {loss.item():.4f} val_loss {val_loss:.4f} val_acc {val_acc:.3f}"
    )

print(f"test accuracy {val_acc:.3f}")
