"""Which kind of module does a docstring come from? Embedding, LSTM, two dense layers."""

import collections
import decimal
import email.message
import fractions
import http.client
import inspect
import random
import re
import smtplib
import socket
import statistics
import urllib.request

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
random.seed(SEED)
torch.manual_seed(SEED)

NUMBERS = [decimal, fractions, statistics, random, collections]
NETWORK = [http.client, smtplib, socket, urllib.request, email.message]
LENGTH = 16


def sentences(module):
    """Windows of LENGTH words from all docstrings of a module's classes and functions."""
    texts = [module.__doc__ or ""]
    for _, thing in sorted(vars(module).items()):
        if inspect.isclass(thing) or inspect.isroutine(thing):
            if getattr(thing, "__module__", "") in (module.__name__, "_" + module.__name__):
                texts.append(inspect.getdoc(thing) or "")
                if inspect.isclass(thing):
                    texts += [
                        inspect.getdoc(m) or ""
                        for _, m in sorted(vars(thing).items())
                        if inspect.isroutine(m)
                    ]
    words = re.findall(r"[a-z]+", " ".join(dict.fromkeys(texts)).lower())
    return [words[i : i + LENGTH] for i in range(0, len(words) - LENGTH + 1, LENGTH)]


examples = [(s, 0.0) for m in NUMBERS for s in sentences(m)] + [
    (s, 1.0) for m in NETWORK for s in sentences(m)
]
examples = list(
    {" ".join(words): (words, label) for words, label in examples}.values()
)  # some docstrings are repeated
random.shuffle(examples)
cut = int(0.8 * len(examples))
counts = {}
for words, _ in examples[:cut]:
    for word in words:
        counts[word] = counts.get(word, 0) + 1
vocabulary = {w: i + 1 for i, w in enumerate(sorted(w for w, c in counts.items() if c > 1))}

X = torch.tensor([[vocabulary.get(w, 0) for w in words] for words, _ in examples])
y = torch.tensor([label for _, label in examples])
print(
    len(examples),
    "examples,",
    len(vocabulary),
    "words, share of the second class",
    round(y.mean().item(), 2),
)
train_loader = DataLoader(TensorDataset(X[:cut], y[:cut]), batch_size=32, shuffle=True)
X_test, y_test = X[cut:], y[cut:]


class TextNet(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.embedding = nn.Embedding(words, 32)
        self.drop_words = nn.Dropout(0.1)
        self.drop_input = nn.Dropout(0.1)
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.drop_state = nn.Dropout(0.1)
        self.dense = nn.Linear(32, 16)
        self.drop_dense = nn.Dropout(0.1)
        self.out = nn.Linear(16, 1)

    def forward(self, tokens):
        x = self.drop_input(self.drop_words(self.embedding(tokens)))
        states, _ = self.lstm(x)
        x = self.drop_state(states[:, -1])
        x = self.drop_dense(torch.relu(self.dense(x)))
        return self.out(x).squeeze(1)


model = TextNet(len(vocabulary) + 1)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001)


def evaluate():
    model.eval()
    with torch.no_grad():
        logits = model(X_test)
    return criterion(logits, y_test).item(), ((logits > 0).float() == y_test).float().mean().item()


for epoch in range(14):
    model.train()
    losses = []
    for tokens, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(
        "epoch %d train %.3f test %.3f accuracy %.3f"
        % (epoch + 1, sum(losses) / len(losses), *evaluate())
    )

print(f"test accuracy {evaluate()[1]:.3f}")
