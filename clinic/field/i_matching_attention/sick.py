"""One-shot classification: cosine attention over a support set (matching networks)."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 6
WAY, SHOT, BATCH = 5, 1, 16
SIDE = 12

torch.manual_seed(SEED)
gen = torch.Generator().manual_seed(SEED)


def draw_alphabet(n):
    """Characters: a few blurred random strokes on a small canvas."""
    yy, xx = torch.meshgrid(torch.arange(SIDE).float(), torch.arange(SIDE).float(), indexing="ij")
    chars = torch.zeros(n, SIDE, SIDE)
    for _ in range(3):
        a = torch.rand(n, 2, generator=gen) * 7 + 2
        b = torch.rand(n, 2, generator=gen) * 7 + 2
        for s in torch.linspace(0, 1, 7):
            p = a + s * (b - a)
            chars = torch.maximum(chars, torch.exp(-((yy - p[:, 0, None, None]) ** 2 + (xx - p[:, 1, None, None]) ** 2)))
    return chars


def handwrite(chars):
    """Shift each character a little and add noise."""
    out = torch.empty_like(chars)
    shifts = torch.randint(-1, 2, (len(chars), 2), generator=gen)
    for i, (dy, dx) in enumerate(shifts.tolist()):
        out[i] = torch.roll(chars[i], (dy, dx), (0, 1))
    out = out + 0.2 * torch.randn(out.shape, generator=gen)
    return (out - 0.2) / 0.4


class Episodes:
    def __init__(self, n_chars, copies=20):
        alphabet = draw_alphabet(n_chars)
        self.images = handwrite(alphabet.repeat_interleave(copies, 0)).view(n_chars, copies, 1, SIDE, SIDE)

    def sample(self, batch):
        n, copies = self.images.shape[:2]
        support, queries, answers = [], [], []
        for _ in range(batch):
            chosen = torch.randperm(n, generator=gen)[:WAY]
            pick = torch.randint(0, copies, (WAY,), generator=gen)
            support.append(self.images[chosen, pick])
            answer = torch.randint(0, WAY, (1,), generator=gen).item()
            other = (pick[answer] + torch.randint(1, copies, (1,), generator=gen).item()) % copies
            queries.append(self.images[chosen[answer], other])
            answers.append(answer)
        return torch.stack(support), torch.stack(queries), torch.tensor(answers)


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Flatten(),
        )

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, similarities, support_labels_onehot):
        weights = self.softmax(similarities)
        return torch.bmm(weights.unsqueeze(1), support_labels_onehot).squeeze(1)


class MatchingNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = Embedding()
        self.log_scale = nn.Parameter(torch.tensor(2.0))
        self.classify = Attention()

    def forward(self, support, query):
        b = len(query)
        both = torch.cat([support.flatten(0, 1), query])
        z = F.normalize(self.g(both), dim=1)
        zs, zq = z[:b * WAY].view(b, WAY, -1), z[b * WAY:]
        similarities = self.log_scale.exp() * torch.bmm(zs, zq.unsqueeze(2)).squeeze(2)
        onehot = torch.eye(WAY).expand(b, WAY, WAY)
        return self.classify(similarities, onehot)


background, evaluation = Episodes(80), Episodes(30)
matching = MatchingNetwork()
optimizer = torch.optim.SGD(matching.parameters(), lr=0.05, momentum=0.9)

for epoch in range(6):
    matching.train()
    loss_sum = hits = 0.0
    for _ in range(30):
        support, query, target = background.sample(BATCH)
        preds = matching(support, query)
        loss = F.cross_entropy(preds, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
        hits += (preds.argmax(1) == target).float().mean().item()
    matching.eval()
    with torch.no_grad():
        support, query, target = evaluation.sample(400)
        preds = matching(support, query)
        acc = (preds.argmax(1) == target).float().mean().item()
    print(f"epoch {epoch}: train_loss {loss_sum / 30:.4f} train_acc {hits / 30:.4f} "
          f"val_loss {F.cross_entropy(preds, target).item():.4f} val_acc {acc:.4f}")

print(f"test accuracy {acc:.4f}")
