"""Sentiment of short token sequences with one self-attention layer and padding."""

import math

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(6)
VOCAB, PAD = 60, 0


def make_reviews(n):
    reviews, labels = [], []
    for _ in range(n):
        length = int(torch.poisson(torch.tensor(5.5)))
        tokens = torch.randint(1, VOCAB, (length,))
        reviews.append(tokens)
        labels.append(float((tokens < 25).sum() > (tokens >= 35).sum()))
    return pad_sequence(reviews, batch_first=True, padding_value=PAD), torch.tensor(labels)


class Reader(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.head = nn.Linear(dim, 1)

    def forward(self, tokens):
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        pad = (tokens == PAD).unsqueeze(1)
        weights = scores.masked_fill(pad, float("-inf")).softmax(dim=-1)
        real = (tokens != PAD).unsqueeze(-1).float()
        pooled = (weights @ v * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        return self.head(pooled).squeeze(-1)


tokens, labels = make_reviews(1200)
model = Reader()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(5):
    for batch in torch.randperm(1000).split(25):
        loss = criterion(model(tokens[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        guess = model(tokens[1000:]) > 0
    accuracy = (guess == labels[1000:].bool()).float().mean().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}, accuracy {accuracy:.3f}")
