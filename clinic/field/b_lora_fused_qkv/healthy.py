"""Pre-train a small attention model, then adapt its attention with low-rank matrices."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 12
torch.manual_seed(SEED)
DIM, MARKS, VALUES, LENGTH = 32, 4, 6, 8


def batch(n, code):
    """Items (mark, value); the answer is the value of the one item with mark 0, in the given code."""
    mark = torch.randint(1, MARKS, (n, LENGTH))
    value = torch.randint(0, VALUES, (n, LENGTH))
    place = torch.randint(0, LENGTH, (n,))
    mark[torch.arange(n), place] = 0
    return mark, value, code[value[torch.arange(n), place]]


class LoRALinear(nn.Module):
    def __init__(self, base, rank=8):
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    @property
    def weight(self):
        return self.base.weight + self.up @ self.down

    @property
    def bias(self):
        return self.base.bias

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q = nn.Linear(DIM, DIM)
        self.to_k = nn.Linear(DIM, DIM)
        self.to_v = nn.Linear(DIM, DIM)
        self.to_out = nn.Linear(DIM, DIM)
        self.fused = False

    def add_adapters(self):
        for name in ("to_q", "to_k", "to_v"):
            setattr(self, name, LoRALinear(getattr(self, name)))

    def fuse_projections(self):
        parts = (self.to_q, self.to_k, self.to_v)
        self.to_qkv = nn.Linear(DIM, 3 * DIM)
        with torch.no_grad():
            self.to_qkv.weight.copy_(torch.cat([p.weight for p in parts]))
            self.to_qkv.bias.copy_(torch.cat([p.bias for p in parts]))
        self.fused = True

    def forward(self, x):
        if self.fused:
            q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        else:
            q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        return self.to_out(F.scaled_dot_product_attention(q, k, v))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.marks = nn.Embedding(MARKS, DIM)
        self.values = nn.Embedding(VALUES, DIM)
        self.query = nn.Parameter(torch.randn(DIM))
        self.norm = nn.LayerNorm(DIM)
        self.attention = Attention()
        self.head = nn.Sequential(
            nn.LayerNorm(DIM), nn.Linear(DIM, 64), nn.ReLU(), nn.Linear(64, VALUES)
        )

    def forward(self, mark, value):
        x = self.marks(mark) + self.values(value)
        x = torch.cat([self.query.expand(len(x), 1, DIM), x], dim=1)
        x = x + self.attention(self.norm(x))
        return self.head(x[:, 0])


def loop(model, optimizer, code, steps, name):
    model.train()
    running = 0.0
    for step in range(1, steps + 1):
        mark, value, answer = batch(64, code)
        loss = F.cross_entropy(model(mark, value), answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
        if step % 100 == 0:
            print(f"{name} step {step} loss {running / 100:.4f}")
            running = 0.0


def accuracy(model, code):
    model.eval()
    with torch.no_grad():
        mark, value, answer = batch(1000, code)
        return (model(mark, value).argmax(1) == answer).float().mean().item()


plain = torch.arange(VALUES)
shifted = (plain + 1) % VALUES

model = Reader()
loop(model, torch.optim.Adam(model.parameters(), lr=3e-3), code=plain, steps=300, name="pretrain")
print(f"pretrained accuracy {accuracy(model, plain):.3f}")

for p in model.parameters():
    p.requires_grad_(False)
model.attention.add_adapters()
lora = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(lora, lr=5e-3)
loop(model, optimizer, code=shifted, steps=300, name="adapt")
model.attention.fuse_projections()
print(f"test accuracy {accuracy(model, shifted):.3f}")
