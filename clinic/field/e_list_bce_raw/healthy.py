import random

import torch
import torch.nn as nn

SEED = 8
random.seed(SEED)
torch.manual_seed(SEED)

# lists of readings: a machine that will fail drifts upwards and shakes more
N_READINGS = 12


def make_list(fails):
    drift = random.uniform(0.02, 0.15) if fails else random.uniform(-0.03, 0.05)
    shake = 0.45 if fails else 0.3
    return [drift * t + random.gauss(0, shake) for t in range(N_READINGS)]


samples, targets = [], []
for _ in range(1000):
    fails = random.random() < 0.5
    samples.append(make_list(fails))
    targets.append([1.0 if fails else 0.0])

x = torch.tensor(samples)
y = torch.tensor(targets)
mean, std = x[:700].mean(), x[:700].std()
x = (x - mean) / std
train_x, train_y = x[:700], y[:700]
test_x, test_y = x[700:], y[700:]


class Classifier(nn.Module):
    def __init__(self, n_inputs):
        super().__init__()
        self.input = nn.Linear(n_inputs, n_inputs)
        self.hidden = nn.Linear(n_inputs, 128)
        self.output = nn.Linear(128, 1)

    def forward(self, x):
        x = torch.relu(self.input(x))
        x = torch.relu(self.hidden(x))
        return torch.sigmoid(self.output(x))


model = Classifier(N_READINGS)
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters())

for epoch in range(25):
    model.train()
    shuffled = torch.randperm(len(train_x))
    total = 0.0
    for batch in shuffled.split(32):
        optimizer.zero_grad()
        loss = criterion(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    print(f"epoch {epoch:2d}  loss {total / len(train_x):.4f}")

model.eval()
with torch.no_grad():
    scores = model(test_x)
accuracy = ((scores > 0.5).float() == test_y).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
