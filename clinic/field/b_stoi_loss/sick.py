"""Speech enhancement by masking, trained on a correlation measure over short segments."""

import torch
from torch import nn

SEED = 4
torch.manual_seed(SEED)
BANDS, FRAMES, SEGMENT = 12, 40, 10


def utterances(n, gen):
    """Smooth band envelopes plus noise; some recordings end in digital silence."""
    t = torch.arange(FRAMES).float()
    freq = 0.15 + 0.5 * torch.rand(n, BANDS, 1, generator=gen)
    phase = 6.28 * torch.rand(n, BANDS, 1, generator=gen)
    clean = 1 + torch.sin(freq * t + phase)
    noisy = clean + 0.8 * torch.randn(n, BANDS, FRAMES, generator=gen).abs()
    for i in range(n):
        if torch.rand(1, generator=gen).item() < 0.05:
            clean[i, :, -SEGMENT:] = 0
            noisy[i, :, -SEGMENT:] = 0
    return noisy, clean


gen = torch.Generator().manual_seed(SEED)
train_noisy, train_clean = utterances(320, gen)
test_noisy, test_clean = utterances(100, gen)
mean, std = train_noisy.mean(), train_noisy.std()


def segments(x):
    return x.unfold(2, SEGMENT, SEGMENT)


def norm(x):
    return x.pow(2).sum(dim=-1, keepdim=True).sqrt()


def intelligibility(est, ref):
    est, ref = segments(est), segments(ref)
    active = (ref.abs().sum(-1) > 0).float()
    est = est - est.mean(-1, keepdim=True)
    ref = ref - ref.mean(-1, keepdim=True)
    corr = (est / (norm(est) + 1e-8) * ref / (norm(ref) + 1e-8)).sum(-1)
    return (corr * active).sum() / active.sum()


class MaskNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(BANDS, 48, 7, padding=3),
            nn.ReLU(),
            nn.Conv1d(48, 48, 7, padding=3),
            nn.ReLU(),
            nn.Conv1d(48, BANDS, 7, padding=3),
            nn.Sigmoid(),
        )

    def forward(self, noisy):
        return noisy * self.net((noisy - mean) / std)


model = MaskNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(25):
    model.train()
    order = torch.randperm(len(train_noisy))
    total = 0.0
    for i in range(0, len(order), 16):
        idx = order[i : i + 16]
        optimizer.zero_grad()
        loss = 1 - intelligibility(model(train_noisy[idx]), train_clean[idx])
        loss.backward()
        optimizer.step()
        total += loss.item()
    model.eval()
    with torch.no_grad():
        score = intelligibility(model(test_noisy), test_clean).item()
    print("epoch %d loss %.4f stoi %.4f" % (epoch + 1, total / 20, score))

print("test stoi %.4f" % score)
