"""A character model of Python's own docstrings; attention with dropout in the manner of flash-attention wrappers."""

import collections
import inspect
import math
import statistics
import string
import textwrap

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 1
torch.manual_seed(SEED)
CONTEXT, WIDTH, HEADS = 12, 32, 4

sources = [collections, inspect, statistics, string, textwrap, str, dict, list]
texts = [inspect.getdoc(o) or "" for o in sources]
for module in sources[:5]:
    for _, thing in sorted(vars(module).items()):
        if inspect.isclass(thing) or inspect.isfunction(thing):
            texts.append(inspect.getdoc(thing) or "")
text = "\n".join(dict.fromkeys(texts)).lower()
text = "".join(c if c.isalpha() or c in " .,\n" else " " for c in text)
vocabulary = sorted(set(text))
codes = torch.tensor([vocabulary.index(c) for c in text])
windows = codes.unfold(0, CONTEXT + 1, 6)
order = torch.randperm(len(windows))
train, held_out = windows[order[:500]], windows[order[-400:]]


class SelfAttention(nn.Module):
    def __init__(self, dropout_p):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.dropout_p = dropout_p

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        p = self.dropout_p if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        mixed = self.out(mixed.transpose(1, 2).reshape(b, t, WIDTH))
        return F.dropout(mixed, p)


class Feedforward(nn.Module):
    def __init__(self, dropout_p):
        super().__init__()
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.dropout_p = dropout_p

    def forward(self, x):
        p = self.dropout_p if self.training else 0.0
        return F.dropout(self.down(F.gelu(self.up(x))), p)


class CharModel(nn.Module):
    def __init__(self, dropout_p=0.3, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(len(vocabulary), WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.attention = nn.ModuleList(SelfAttention(dropout_p) for _ in range(depth))
        self.feedforward = nn.ModuleList(Feedforward(dropout_p) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2 * depth + 1))
        self.head = nn.Linear(WIDTH, len(vocabulary))

    def forward(self, x):
        x = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        for i, (attention, feedforward) in enumerate(zip(self.attention, self.feedforward)):
            x = x + attention(self.norms[2 * i](x))
            x = x + feedforward(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x))


def loss_of(model, batch):
    logits = model(batch[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def validate(model):
    model.eval()
    with torch.no_grad():
        loss = loss_of(model, held_out).item()
    model.train()
    return loss


model = CharModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
batch_size, epochs = 32, 20
for epoch in range(1, epochs + 1):
    losses = []
    for rows in torch.randperm(len(train)).split(batch_size):
        loss = loss_of(model, train[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 0:
        average = sum(losses) / len(losses)
        print(f"epoch {epoch:2d} | train {average:.3f} | held out {validate(model):.3f}")

final = validate(model)
print(f"perplexity {math.exp(final):.2f}")
print(f"test loss {final:.4f}")
