"""Random features on digits: a wide random ReLU layer that stays as it is, and a trained linear read-out."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

SEED = 2
torch.manual_seed(SEED)

digits = load_digits()
keep = digits.target < 2                                     # zeros and ones only
x = torch.tensor(digits.data[keep] / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target[keep].astype("float32"))
perm = torch.randperm(len(x))
x, y = x[perm], y[perm]
x_train, y_train = x[:250], y[:250]
x_test, y_test = x[250:], y[250:]
centre = x_train.mean(dim=0)
x_train, x_test = (x_train - centre) * 3, (x_test - centre) * 3

WIDTH = 1300


class RandomFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.random = nn.Linear(64, WIDTH)
        self.random.requires_grad_(False)
        self.readout = nn.Linear(WIDTH, 1)

    def forward(self, x):
        h = torch.relu(self.random(x))
        return self.readout(h).squeeze(-1)


model = RandomFeatures()
bce = nn.BCELoss()
optimizer = torch.optim.Adam(model.readout.parameters(), lr=0.001)

for step in range(300):
    optimizer.zero_grad()
    p = model(x_train)
    loss = bce(p, y_train)
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            val = bce(model(x_test), y_test)
        print("step", step, "loss", round(loss.item(), 4), "val", round(val.item(), 4))

with torch.no_grad():
    p_test = model(x_test)
    hit = (p_test > 0.5) == (y_test > 0.5)
    print("test loss", round(bce(p_test, y_test).item(), 4))
    print("test accuracy", round(hit.float().mean().item(), 4))
