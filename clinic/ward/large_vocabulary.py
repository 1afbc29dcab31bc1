"""Next word of standard library docstrings, thousands of words: test perplexity about half of the word frequencies'."""

import argparse
import collections
import email.message
import inspect
import logging
import pathlib
import re
import statistics
import subprocess
import unittest

import torch
import torch.nn as nn

SOURCES = (argparse, collections, email.message, inspect, logging, pathlib, re, statistics,
           subprocess, unittest)  # fmt: skip


def texts():
    for module in SOURCES:
        for _, value in sorted(vars(module).items()):
            members = (
                [vars(value)[key] for key in sorted(vars(value))] if inspect.isclass(value) else []
            )
            for item in (value, *members):
                if callable(item):
                    yield (inspect.getdoc(item) or "").lower()


torch.manual_seed(14)
words = [word for text in dict.fromkeys(texts()) for word in re.findall(r"[a-z_]+|[.,;:()]", text)]
index = {word: i for i, word in enumerate(dict.fromkeys(words))}
ids = torch.tensor([index[word] for word in words])
contexts = ids.unfold(0, 4, 1)
held_out = torch.arange(len(contexts)) // 40 % 10 == 9
train, test = contexts[~held_out], contexts[held_out]
print(f"{len(words)} words, {len(index)} different")

frequency = torch.bincount(train[:, 3], minlength=len(index)).float() + 1
unigram = -(frequency / frequency.sum()).log()[test[:, 3]].mean()

model = nn.Sequential(
    nn.Embedding(len(index), 32),
    nn.Flatten(),
    nn.Linear(96, 64),
    nn.Tanh(),
    nn.Linear(64, len(index)),
)
with torch.no_grad():
    model[-1].bias.copy_((frequency / frequency.sum()).log())
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(3):
    model.train()
    for rows in torch.randperm(len(train)).split(256):
        loss = loss_fn(model(train[rows, :3]), train[rows, 3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        entropy = loss_fn(model(test[:, :3]), test[:, 3])
    print(f"epoch {epoch}: train {loss.item():.3f} test {entropy.item():.3f}")

print(f"test perplexity {entropy.exp().item():.1f}, of frequencies {unigram.exp().item():.1f}")
