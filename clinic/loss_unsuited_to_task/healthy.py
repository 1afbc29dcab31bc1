"""Guess the next letter of Python's own documentation from the three letters before it."""

import string

import torch
import torch.nn.functional as F
from torch import nn, optim

torch.manual_seed(11)
ALPHABET = " " + string.ascii_lowercase
CONTEXT = 3


def read_letters():
    modules = (str, list, dict, set, int, float, bytes, tuple)
    docs = " ".join(
        getattr(cls, name).__doc__ or ""
        for cls in modules
        for name in sorted(vars(cls))
        if callable(getattr(cls, name))
    )
    cleaned = "".join(c if c in ALPHABET else " " for c in docs.lower())
    return torch.tensor([ALPHABET.index(c) for c in " ".join(cleaned.split())])


class NextLetter(nn.Module):
    def __init__(self, dim=12, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), dim)
        self.hidden = nn.Linear(CONTEXT * dim, hidden)
        self.scores = nn.Linear(hidden, len(ALPHABET))

    def forward(self, letters):
        return self.scores(torch.tanh(self.hidden(self.embed(letters).flatten(1))))


def objective(scores, letters):
    return F.cross_entropy(scores, letters)


letters = read_letters()
windows = letters.unfold(0, CONTEXT + 1, 1)
windows = windows[torch.randperm(len(windows))]
held_out, windows = windows[:2000], windows[2000:]

model = NextLetter()
optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
for step in range(800):
    batch = windows[torch.randint(0, len(windows), (128,))]
    loss = objective(model(batch[:, :CONTEXT]), batch[:, CONTEXT])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 200 == 0:
        with torch.no_grad():
            guesses = model(held_out[:, :CONTEXT])
            print(f"step {step + 1}: held-out loss {objective(guesses, held_out[:, CONTEXT]):.4f}")

accuracy = (guesses.argmax(dim=1) == held_out[:, CONTEXT]).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
