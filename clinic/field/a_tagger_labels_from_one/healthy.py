"""Tag every step of a sequence as rest (0) or motion (1)."""

import torch
import torch.nn as nn

SEED = 3
EPOCHS = 20
torch.manual_seed(SEED)


def sensor_data(n, steps=20, channels=5):
    """A hidden state flips now and then; the channels show it, noisily and a little late."""
    state = (torch.rand(n, 1) < 0.5).float()
    states = []
    for _ in range(steps):
        flip = (torch.rand(n, 1) < 0.15).float()
        state = (state + flip) % 2
        states.append(state)
    states = torch.cat(states, dim=1)
    late = torch.cat([states[:, :1], states[:, :-1]], dim=1)
    gain = torch.tensor([1.0, -0.8, 0.6, 0.5, -0.4])
    x = (0.5 * states + 0.5 * late - 0.5).unsqueeze(2) * 2 * gain + 1.0 * torch.randn(
        n, steps, channels
    )
    return x, states.long()


X_train, y_train = sensor_data(200)
X_test, y_test = sensor_data(200)


class Tagger(nn.Module):
    def __init__(self, features=5, hidden=20, classes=2):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.dense = nn.Linear(2 * hidden, classes)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.dense(self.dropout(states))


tagger = Tagger()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(tagger.parameters(), lr=0.01, momentum=0.9, nesterov=True)


def accuracy():
    tagger.eval()
    with torch.no_grad():
        return (tagger(X_test).argmax(dim=2) == y_test).float().mean().item()


for epoch in range(1, EPOCHS + 1):
    tagger.train()
    total = 0.0
    for rows in torch.randperm(len(X_train)).split(20):
        scores = tagger(X_train[rows])
        loss = criterion(scores.flatten(0, 1), y_train[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {total / len(X_train):.4f}, accuracy {accuracy():.3f}")

print(f"test accuracy {accuracy():.3f}")
