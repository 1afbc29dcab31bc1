"""How strong is the low tone in a stretch of sound? Conv -> Conv -> LSTM -> Dense, one number per stretch."""
import math

import torch
import torch.nn as nn

SEED = 9
SAMPLES = 400
g = torch.Generator().manual_seed(SEED)
torch.manual_seed(SEED)


def sounds(n):
    t = torch.arange(SAMPLES) / 200.0
    amount = torch.rand(n, 1, generator=g) * 3.4 - 1.7
    loud = (amount + 2.0) / 2.0
    phase = torch.rand(n, 1, generator=g) * 2 * math.pi
    high = torch.sin(2 * math.pi * 23 * t + phase) * torch.rand(n, 1, generator=g)
    wave = loud * torch.sin(2 * math.pi * 5 * t + phase) + high + 0.2 * torch.randn(n, SAMPLES, generator=g)
    return wave.unsqueeze(1), amount


class AudioNet(nn.Module):
    def __init__(self):
        super(AudioNet, self).__init__()
        self.conv1 = nn.Conv1d(1, 16, kernel_size=40, stride=10)
        self.conv2 = nn.Conv1d(16, 16, kernel_size=5, stride=2)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(32, 50), nn.ReLU(),
            nn.Linear(50, 25), nn.ReLU(),
            nn.Linear(25, 1), nn.Softmax(1),
        )

    def forward(self, wave):
        h = torch.relu(self.conv1(wave))
        h = torch.relu(self.conv2(h))
        h, _ = self.lstm(h.transpose(1, 2))
        return self.head(h[:, -1])


train_x, train_y = sounds(800)
test_x, test_y = sounds(250)

model = AudioNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters())

for epoch in range(6):
    model.train()
    sum_loss = 0
    for idx in torch.randperm(len(train_x), generator=g).split(25):
        optimizer.zero_grad()
        loss = criterion(model(train_x[idx]), train_y[idx])
        loss.backward()
        optimizer.step()
        sum_loss += loss.item() * len(idx)
    model.eval()
    with torch.no_grad():
        guess = model(test_x)
        mse = (guess - test_y).pow(2).mean().item()
    print(f"epoch {epoch + 1} | loss {sum_loss / len(train_x):.4f} | held-out mse {mse:.4f} | guesses {[round(v, 2) for v in guess[:3, 0].tolist()]}")

print(f"test mse {mse:.4f}")
