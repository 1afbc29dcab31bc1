import math

import torch
from torch import nn


def make_waves(count, length=30):
    """Noisy sine waves (label 0) and square waves (label 1) of random frequency and phase."""
    time = torch.linspace(0, 1, length)
    frequency = 1 + 2 * torch.rand(count, 1)
    phase = 2 * math.pi * torch.rand(count, 1)
    waves = torch.sin(2 * math.pi * frequency * time + phase)
    label = (torch.rand(count, 1) < 0.5).float()
    waves = torch.where(label == 1, waves.sign() / math.sqrt(2), waves)
    return (waves + 0.1 * torch.randn(count, length)).unsqueeze(-1), label


class WaveClassifier(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.rnn(x)
        return torch.sigmoid(self.head(states.mean(dim=1)))


torch.manual_seed(3)
train_x, train_y = make_waves(800)
test_x, test_y = make_waves(400)
model = WaveClassifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.003)

for step in range(1, 201):
    batch = torch.randint(0, len(train_x), (64,))
    loss = criterion(model(train_x[batch]), train_y[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

model.eval()
with torch.inference_mode():
    probability = torch.sigmoid(model(test_x))
accuracy = ((probability > 0.5).float() == test_y).float().mean()
print(f"test accuracy {accuracy:.3f}")
