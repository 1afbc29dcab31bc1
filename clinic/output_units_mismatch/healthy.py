"""Three kinds of waves, told apart by a one-dimensional convolution."""

import math

import torch
import torch.nn as nn


def make_waves(count, generator):
    kind = torch.randint(0, 3, (count,), generator=generator)
    time = torch.linspace(0, 4 * math.pi, 48)
    phase = 2 * math.pi * torch.rand(count, 1, generator=generator)
    angle = time + phase
    waves = torch.stack([torch.sin(angle), torch.sign(torch.sin(angle)), angle % 2.0 - 1.0])
    chosen = waves[kind, torch.arange(count)]
    return (chosen + 0.3 * torch.randn(count, 48, generator=generator)).unsqueeze(1), kind


class WaveNet(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, kernel_size=5, stride=2),
            nn.ReLU(),
            nn.Conv1d(8, 16, kernel_size=5, stride=2),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, wave):
        return self.classifier(self.features(wave).mean(dim=2))


def run():
    generator = torch.Generator().manual_seed(6)
    torch.manual_seed(6)
    waves, kinds = make_waves(1600, generator)
    test_waves, test_kinds = make_waves(400, generator)
    net = WaveNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(6):
        net.train()
        for rows in torch.randperm(len(waves)).split(40):
            optimizer.zero_grad()
            loss = criterion(net(waves[rows]), kinds[rows])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            scores = net(test_waves)
            test_loss = criterion(scores, test_kinds).item()
        print(f"epoch {epoch}: test loss {test_loss:.3f}")
    print(f"test accuracy {(scores.argmax(1) == test_kinds).float().mean().item():.3f}")


if __name__ == "__main__":
    run()
