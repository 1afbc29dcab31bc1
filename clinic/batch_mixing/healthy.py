"""Does a sequence of steps end above or below where it began? An LSTM reads the steps."""

import torch
from torch import nn

torch.manual_seed(17)


class Trend(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, steps):
        states, _ = self.lstm(steps)
        return self.head(states[:, -1])


def sample(count, length=16):
    steps = torch.randn(count, length, 1)
    return steps, (steps.sum(dim=1) > 0).float()


train_steps, train_up = sample(2000)
test_steps, test_up = sample(500)

model = Trend()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(5):
    for rows in torch.randperm(len(train_steps)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train_steps[rows]), train_up[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    with torch.no_grad():
        scores = model(test_steps)
        print(f"epoch {epoch}: test loss {criterion(scores, test_up).item():.3f}")

print(f"test accuracy {((scores > 0) == (test_up > 0.5)).float().mean().item():.3f}")
