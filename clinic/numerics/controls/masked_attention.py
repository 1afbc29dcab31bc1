"""Causal attention with -inf above the diagonal: predict the next token of noisy cycles."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
VOCAB, LENGTH = 12, 16


def cycles(n):
    start = torch.randint(0, VOCAB, (n, 1))
    stride = torch.randint(1, 4, (n, 1))
    return (start + stride * torch.arange(LENGTH + 1)) % VOCAB


class Decoder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.token = nn.Embedding(VOCAB, dim)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, dim))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim))
        self.head = nn.Linear(dim, VOCAB)
        future = torch.ones(LENGTH, LENGTH).triu(1).bool()
        self.register_buffer("future", future)

    def forward(self, tokens):
        x = self.token(tokens) + self.place
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(self.future, float("-inf"))
        x = x + scores.softmax(dim=-1) @ v
        return self.head(x + self.mlp(x))


model = Decoder()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(250):
    batch = cycles(32)
    logits = model(batch[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        print(f"step {step + 1} loss {loss.item():.3f}")
