"""Topic classification of short newswire-like documents with a bag of embeddings."""

import torch
from torch import nn
from torch.utils.data import DataLoader

SEED = 3
VOCAB = 2000
TOPICS = 20
EPOCHS = 6


def make_documents(n, gen):
    """Each topic prefers forty words of its own; the other words follow Zipf's law."""
    common = 1.0 / torch.arange(1, VOCAB + 1, dtype=torch.float32)
    common /= common.sum()
    word_of_topic = torch.randint(
        100, VOCAB, (TOPICS, 40), generator=torch.Generator().manual_seed(SEED + 100)
    )
    docs = []
    for _ in range(n):
        topic = int(torch.randint(TOPICS, (1,), generator=gen))
        length = int(torch.randint(20, 60, (1,), generator=gen))
        words = torch.multinomial(common, length, replacement=True, generator=gen)
        own = torch.rand(length, generator=gen) < 0.3
        special = word_of_topic[topic][torch.randint(40, (length,), generator=gen)]
        docs.append((torch.where(own, special, words), topic))
    return docs


def collate(batch):
    words = torch.cat([doc for doc, _ in batch])
    lengths = torch.tensor([0] + [len(doc) for doc, _ in batch[:-1]])
    return words, lengths.cumsum(0), torch.tensor([topic for _, topic in batch])


class NewsModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(VOCAB, 64, mode="mean")
        self.hidden = nn.Linear(64, 128)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(128, TOPICS)

    def forward(self, words, offsets):
        x = self.embedding(words, offsets)
        x = torch.relu(self.hidden(x))
        return self.output(self.dropout(x))


def evaluate(model, loader):
    model.eval()
    hits = count = 0
    with torch.no_grad():
        for words, offsets, topics in loader:
            hits += (model(words, offsets).argmax(1) == topics).sum().item()
            count += len(topics)
    return hits / count


torch.manual_seed(SEED)
gen = torch.Generator().manual_seed(SEED)
train_loader = DataLoader(
    make_documents(3000, gen), batch_size=32, shuffle=True, collate_fn=collate
)
test_loader = DataLoader(make_documents(800, gen), batch_size=200, collate_fn=collate)

model = NewsModel()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

for epoch in range(EPOCHS):
    model.train()
    losses = []
    for words, offsets, topics in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(words, offsets), topics)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(
        f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f} accuracy {evaluate(model, test_loader):.3f}"
    )

print(f"test accuracy {evaluate(model, test_loader):.3f}")
