"""The next character of Python's own docstrings, with a small transformer; warm-up and decay."""

import argparse
import importlib

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", choices=["sgd", "momentum", "adam"], default="sgd")
args = parser.parse_args()

torch.manual_seed(0)
names = "argparse collections copy csv datetime difflib doctest functools heapq json random re"
modules = [importlib.import_module(name) for name in names.split()]
owners = [one for module in modules for one in (module, *vars(module).values())]
docs = {one.__doc__ for one in owners if isinstance(getattr(one, "__doc__", None), str)}
text = "\n".join(sorted(docs))
text = "".join(sign.lower() for sign in text if sign.isascii() and sign.isprintable())
alphabet = sorted(set(text))
codes = torch.tensor([alphabet.index(sign) for sign in text])
cut = int(0.9 * len(codes))
CONTEXT, BATCH, STEPS, WARM_UP = 32, 16, 400, 40


def batch(part, num=BATCH):
    starts = torch.randint(0, len(part) - CONTEXT - 1, (num,))
    rows = torch.stack([part[start : start + CONTEXT + 1] for start in starts])
    return rows[:, :-1], rows[:, 1:]


class Writer(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.letters = nn.Embedding(len(alphabet), width)
        self.places = nn.Parameter(0.02 * torch.randn(CONTEXT, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(alphabet))
        self.mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT)

    def forward(self, x):
        x = self.letters(x) + self.places
        x = self.layers(x, mask=self.mask, is_causal=True)
        return self.head(self.norm(x))


model = Writer()
if args.optimizer == "sgd":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
elif args.optimizer == "momentum":
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
else:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: min((step + 1) / WARM_UP, 1 - step / (STEPS + 1))
)
held_out = batch(codes[cut:], num=128)


def validate():
    model.eval()
    with torch.no_grad():
        x, y = held_out
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    model.train()
    return loss


for step in range(1, STEPS + 1):
    x, y = batch(codes[:cut])
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 50 == 0:
        print(f"step {step}: validation loss {validate():.5f}")
