"""Two bird species by their spectrogram."""

import math

import torch
import torch.nn as nn

torch.manual_seed(23)
RATE = 64


def songs(n):
    species = torch.randint(0, 2, (n,))
    t = torch.arange(256) / RATE
    pitch = 6 + 5 * species.unsqueeze(1) + 1.5 * torch.randn(n, 1)
    wave = torch.sin(2 * math.pi * pitch * t) + 0.3 * torch.randn(n, 256)
    start = torch.randint(0, 190, (n,))
    muted = torch.rand(n) < 0.05  # the recorder gates silence
    for k in range(n):
        if muted[k]:
            wave[k, start[k] : start[k] + 64] = 0
    return wave, species


class SpectrogramNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(32))
        self.gru = nn.GRU(17, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, wave):
        spectrum = torch.stft(wave, 32, 16, window=self.window, return_complex=True)
        power = spectrum.real**2 + spectrum.imag**2
        power.add_(1e-5).log_()
        hidden, _ = self.gru(power.transpose(1, 2))
        return self.head(hidden.mean(dim=1))


wave, species = songs(600)
model = SpectrogramNet()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(100):
    i = torch.randint(0, 500, (12,))
    loss = nn.functional.cross_entropy(model(wave[i]), species[i])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 19:
        with torch.no_grad():
            right = (model(wave[500:]).argmax(1) == species[500:]).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.3f} right {right:.3f}")
