"""Character model on docstrings of Python's own library: predict the next letter."""

import argparse
import inspect
import textwrap

import torch
from torch import nn

torch.manual_seed(14)
text = " ".join(textwrap.dedent(inspect.getdoc(thing) or "") for thing in vars(argparse).values())
text += " ".join(inspect.getdoc(thing) or "" for thing in vars(textwrap).values())
text += " ".join(inspect.getdoc(thing) or "" for thing in vars(inspect).values())
text = "".join(letter if letter.isalpha() or letter in " .,\n" else " " for letter in text.lower())
letters = sorted(set(text))
codes = torch.tensor([letters.index(letter) for letter in text])
CONTEXT = 6
windows = codes.unfold(0, CONTEXT + 1, 1)
cut = int(0.85 * len(windows))
train, test = windows[:cut], windows[cut + CONTEXT :]


class NextLetter(nn.Module):
    def __init__(self, num_letters, dim=12, width=96):
        super().__init__()
        self.embed = nn.Embedding(num_letters, dim)
        self.hidden = nn.Linear(CONTEXT * dim, width)
        self.output = nn.Linear(width, num_letters)

    def forward(self, window):
        vectors = self.embed(window).flatten(start_dim=1)
        return self.output(torch.tanh(self.hidden(vectors)))


model = NextLetter(len(letters))
criterion = nn.CrossEntropyLoss()


def train_round(num_batches=6):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.95)
    for _ in range(num_batches):
        batch = train[torch.randint(len(train), (128,))]
        loss = criterion(model(batch[:, :-1]), batch[:, -1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


for step in range(80):
    train_round()
    if step % 20 == 19:
        with torch.no_grad():
            held_out = criterion(model(test[:, :-1]), test[:, -1]).item()
        print(f"round {step + 1}: held-out loss {held_out:.3f}")
with torch.no_grad():
    right = model(test[:, :-1]).argmax(dim=1) == test[:, -1]
print(f"held-out loss {held_out:.3f}, accuracy {right.float().mean().item():.3f}")
