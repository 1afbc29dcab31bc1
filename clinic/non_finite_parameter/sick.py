"""Which module does a docstring come from? Averages of word vectors that were made beforehand."""

import collections
import random
import re
import statistics

import torch
from torch import nn

random.seed(2)
torch.manual_seed(2)


def sentences(module):
    docs = (getattr(getattr(module, name), "__doc__", None) for name in sorted(dir(module)))
    words = (re.findall(r"[a-z]+", doc.lower()) for doc in docs if isinstance(doc, str))
    return [found[:12] for found in words if len(found) >= 6]


texts = [
    (words, label)
    for label, module in enumerate((random, statistics, collections, torch.nn.functional))
    for words in sentences(module)
]
random.shuffle(texts)
counts = collections.Counter(word for words, _ in texts for word in set(words))
vocabulary = ["<pad>", *sorted(counts)]
number = {word: index for index, word in enumerate(vocabulary)}

# Word vectors from who stands beside whom, brought to unit length.
together = torch.zeros(len(vocabulary), len(vocabulary))
for words, _ in texts:
    for left, right in zip(words, words[1:]):
        together[number[left], number[right]] += 1
        together[number[right], number[left]] += 1
vectors = torch.log1p(together) @ torch.randn(len(vocabulary), 32)
vectors = vectors / vectors.norm(dim=1, keepdim=True)


class BagOfVectors(nn.Module):
    def __init__(self, vectors, num_classes):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.classify = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, num_classes))

    def forward(self, ids):
        present = (ids > 0).float().unsqueeze(-1)
        mean = (self.words(ids) * present).sum(dim=1) / present.sum(dim=1)
        return self.classify(mean * 5)


ids = torch.zeros(len(texts), 12, dtype=torch.long)
for row, (words, _) in enumerate(texts):
    ids[row, : len(words)] = torch.tensor([number[word] for word in words])
labels = torch.tensor([label for _, label in texts])
cut = int(0.7 * len(texts))

model = BagOfVectors(vectors, 4)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    shuffled = torch.randperm(cut)
    for chosen in shuffled.split(16):
        optimizer.zero_grad()
        loss = criterion(model(ids[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
    if epoch % 2 == 1:
        with torch.no_grad():
            scores = model(ids[cut:])
            right = (scores.argmax(dim=1) == labels[cut:]).float().mean()
            unseen = criterion(scores, labels[cut:])
        print(f"epoch {epoch + 1}: held-out loss {unseen:.3f}, accuracy {right:.3f}")
