import numpy as np
import torch
import torch.nn as nn

SEED = 30
np.random.seed(SEED)
torch.manual_seed(SEED)

NAMES = ['ring', 'disc', 'plus', 'x', 'bar']


def draw(kind, rs):
    img = np.zeros((20, 20), np.float32)
    r = rs.randint(3, 6)
    cy, cx = rs.randint(r, 20 - r, size=2)
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            d = (dy * dy + dx * dx) ** 0.5
            ink = ((kind == 0 and r - 1.5 < d <= r) or
                   (kind == 1 and d <= r - 1) or
                   (kind == 2 and (dx == 0 or dy == 0)) or
                   (kind == 3 and abs(dx) == abs(dy)) or
                   (kind == 4 and abs(dy) <= 1))
            if ink and cy + dy < 20 and cx + dx < 20:
                img[cy + dy, cx + dx] = 1
    return img


def shapes(n):
    rs = np.random
    y = rs.randint(0, len(NAMES), n)
    x = np.stack([draw(k, rs) for k in y])
    x += 0.15 * rs.randn(*x.shape).astype(np.float32)
    return torch.from_numpy(x)[:, None], torch.from_numpy(y)


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(32 * 25, 64)
        self.fc2 = nn.Linear(64, len(NAMES))
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.conv1(x)
        x = self.conv2(x)
        x = self.conv3(x)
        x = self.flatten(x)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return x


class Trainer:
    def __init__(self, model, lr=1e-3, batch_size=12):
        self.model = model
        self.batch_size = batch_size
        self.loss = nn.CrossEntropyLoss()       # takes care of the softmax
        self.optim = torch.optim.Adam(model.parameters(), lr=lr)

    def run_epoch(self, x, y):
        self.model.train()
        total = 0
        for idx in torch.randperm(len(x)).split(self.batch_size):
            self.optim.zero_grad()
            loss = self.loss(self.model(x[idx]), y[idx])
            loss.backward()
            self.optim.step()
            total += loss.item() * len(idx)
        return total / len(x)

    def score(self, x, y):
        self.model.eval()
        with torch.no_grad():
            out = self.model(x)
            return self.loss(out, y).item(), (out.argmax(1) == y).float().mean().item()

    def fit(self, train, valid, epochs):
        for e in range(epochs):
            loss = self.run_epoch(*train)
            vl, va = self.score(*valid)
            print(f'epoch {e}: train {loss:.3f}  valid {vl:.3f}  accuracy {va:.3f}')


x, y = shapes(1800)
mean, std = x[:1200].mean(), x[:1200].std()
x = (x - mean) / std
trainer = Trainer(ShapeNet())
trainer.fit((x[:1200], y[:1200]), (x[1200:1500], y[1200:1500]), epochs=6)
print('test accuracy %.3f' % trainer.score(x[1500:], y[1500:])[1])
