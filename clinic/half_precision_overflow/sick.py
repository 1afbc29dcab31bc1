"""Which of five strings was plucked? A small spectrogram net, trained in half precision."""

import math

import torch
from torch import nn

torch.manual_seed(21)
LENGTH = 1200


def plucks(count):
    """Noisy, slowly decaying tones; the class is the pitch."""
    label = torch.randint(5, (count,))
    time = torch.arange(float(LENGTH))
    pitch = 2 * math.pi * (0.01 + 0.008 * label + 0.002 * torch.randn(count))
    phase = 2 * math.pi * torch.rand(count)
    wave = torch.sin(pitch[:, None] * time + phase[:, None]) * torch.exp(-time / 4000)
    return wave * 1.2 + 0.3 * torch.randn(count, LENGTH), label


class Spectrum(nn.Module):
    def __init__(self, num_bins=40):
        super().__init__()
        angle = 2 * math.pi * torch.arange(num_bins) * 0.0015 * torch.arange(LENGTH)[:, None]
        self.register_buffer("cosines", angle.cos())
        self.register_buffer("sines", angle.sin())
        self.window = nn.Parameter(torch.hann_window(LENGTH))
        self.classify = nn.Sequential(nn.Linear(num_bins, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(self, wave):
        wave = wave * self.window
        real, imaginary = wave @ self.cosines, wave @ self.sines
        power = real * real + imaginary * imaginary
        return self.classify(torch.log(power + 1e-4) / 4 + 1)


train, held_out = plucks(480), plucks(160)
model = Spectrum()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scaler = torch.amp.GradScaler("cpu")
cross_entropy = nn.CrossEntropyLoss()

for epoch in range(10):
    for chosen in torch.randperm(480).split(24):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            scores = model(train[0][chosen])
            loss = cross_entropy(scores, train[1][chosen])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    with torch.no_grad():
        scores = model(held_out[0])
    right = (scores.argmax(dim=1) == held_out[1]).float().mean().item()
    unseen = cross_entropy(scores, held_out[1]).item()
    print(f"epoch {epoch + 1:2d}: loss {loss.item():.3f}, held out {unseen:.3f}, right {right:.2f}")
