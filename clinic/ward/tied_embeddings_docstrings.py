"""Character GRU with tied embeddings on standard library docstrings: validation about 2.1 nats (uniform 3.8)."""

import argparse
import inspect
import json
import logging
import math
import os
import pathlib
import random
import string
import subprocess
import tarfile
import threading
import typing
import zipfile

import torch
from torch import nn

MODULES = (argparse, json, logging, os, pathlib, random, string, subprocess, tarfile, threading)
MODULES += (typing, zipfile)


def corpus():
    pieces = []
    for module in MODULES:
        pieces.append(inspect.getdoc(module) or "")
        for _, member in sorted(inspect.getmembers(module), key=lambda pair: pair[0]):
            if inspect.isclass(member) or inspect.isfunction(member):
                pieces.append(inspect.getdoc(member) or "")
    text = " ".join(" ".join(pieces).lower().split())
    return "".join(c for c in text if c in string.ascii_lowercase + string.digits + " .,:;()'-_")


class TiedLanguageModel(nn.Module):
    def __init__(self, vocabulary, width=64):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(width))
        self.gru = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.decoder = nn.Linear(width, vocabulary)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens):
        hidden, _ = self.gru(self.embedding(tokens))
        return self.decoder(self.drop(hidden))


torch.manual_seed(5)
text = corpus()
letters = sorted(set(text))
tokens = torch.tensor([letters.index(c) for c in text])
cut = int(0.9 * len(tokens))
train, valid = tokens[:cut], tokens[cut:]
length, batch = 32, 24


def windows(source, starts):
    rows = source[starts[:, None] + torch.arange(length + 1)]
    return rows[:, :-1], rows[:, 1:]


model = TiedLanguageModel(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
cross_entropy = nn.CrossEntropyLoss()
for step in range(301):
    model.train()
    x, y = windows(train, torch.randint(len(train) - length - 1, (batch,)))
    loss = cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 60 == 0:
        model.eval()
        with torch.no_grad():
            x, y = windows(valid, torch.arange(0, len(valid) - length - 1, 2 * length))
            value = cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
        print(f"step {step:3d}: train {loss.item():.3f} validation {value:.3f}")
print(f"{len(text)} characters of {len(letters)} kinds, validation loss {value:.3f} nats")
