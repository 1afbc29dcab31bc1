"""Next character of Python's own documentation: output scores are products with the embedding."""

import math
import textwrap

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(17)
CONTEXT, WIDTH = 8, 64

text = " ".join(textwrap.__doc__.split() + (textwrap.TextWrapper.__doc__ or "").split()).lower()
letters = sorted(set(text))
codes = torch.tensor([letters.index(letter) for letter in text])
windows = codes.unfold(0, CONTEXT + 1, 1)
windows = windows[torch.randperm(len(windows))]
held_out, windows = windows[:300], windows[300:]


class NextLetter(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(len(letters), WIDTH)
        self.mix = nn.Linear(CONTEXT * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, before):
        hidden = self.norm(torch.relu(self.mix(self.letters(before).flatten(1))))
        return hidden @ self.letters.weight.T / math.sqrt(WIDTH)


model = NextLetter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(400):
    batch = windows[torch.randint(len(windows), (64,))]
    loss = F.cross_entropy(model(batch[:, :-1]), batch[:, -1])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if (step + 1) % 80 == 0:
        with torch.no_grad():
            test_loss = F.cross_entropy(model(held_out[:, :-1]), held_out[:, -1])
        print(f"step {step + 1} held-out loss {test_loss.item():.3f}")
