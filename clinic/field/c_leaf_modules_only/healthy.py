"""Does a short noisy sensor track rise or fall? A small transformer with learnt positions."""

import torch
import torch.nn.functional as F
from torch import nn

SEED = 11
torch.manual_seed(SEED)
LENGTH, WIDTH = 16, 32


def make_tracks(n):
    slope = torch.randn(n, 1)
    time = torch.linspace(-1, 1, LENGTH)
    tracks = slope * time + 0.5 * torch.randn(n, LENGTH)
    return tracks.unsqueeze(-1), (slope[:, 0] > 0).long()


class Positions(nn.Module):
    """A leaf of its own, so that the optimizer's groups find it."""

    def __init__(self, length, width):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, length, width))

    def forward(self, x):
        return x + self.table


class TrackHead(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.embed = nn.Linear(1, width)
        self.positions = Positions(LENGTH, width)
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.heads = heads

    def attention(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.project(mixed.transpose(1, 2).reshape(b, t, c))

    def forward(self, x):
        x = self.positions(self.embed(x))
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x.mean(dim=1)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = TrackHead(WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.out(self.norm(self.head(x)))


def leaves(module):
    children = list(module.children())
    if not children:
        return [module]
    return [leaf for child in children for leaf in leaves(child)]


def build_optimizer(model, lr, weight_decay):
    decay, no_decay = [], []
    for layer in leaves(model):
        group = no_decay if isinstance(layer, nn.LayerNorm) else decay
        group.extend(layer.parameters())
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr)


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(1) == y).float().mean().item()


x_train, y_train = make_tracks(2000)
x_test, y_test = make_tracks(1000)
model = Classifier()
optimizer = build_optimizer(model, lr=2e-3, weight_decay=0.01)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x_train, y_train), batch_size=64, shuffle=True)

for epoch in range(12):
    model.train()
    running = 0.0
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1} loss {running / len(loader):.3f} accuracy {accuracy(model, x_test, y_test):.3f}")

print(f"test accuracy {accuracy(model, x_test, y_test):.4f}")
