"""Pretrain on even digits, then fine-tune on odd ones: head first, the layers below thawed in turn, rate on a plateau schedule."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(31)
x, y = load_digits(return_X_y=True)
x = torch.tensor(x, dtype=torch.float32) / 16
x, y = (x - x.mean()) / x.std(), torch.tensor(y)
parts = {}
for name, rest in (("even", 0), ("odd", 1)):
    rows = torch.where(y % 2 == rest)[0]
    rows = rows[torch.randperm(len(rows))]
    parts[name] = (x[rows[:650]], y[rows[:650]] // 2, x[rows[650:]], y[rows[650:]] // 2)


def epoch_of(model, optimizer, x, y):
    model.train()
    for rows in torch.randperm(len(x)).split(32):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def validate(model, x, y):
    model.eval()
    logits = model(x)
    return nn.functional.cross_entropy(logits, y).item(), (
        logits.argmax(1) == y
    ).float().mean().item()


base = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 5))
adam = torch.optim.Adam(base.parameters(), lr=2e-3)
for _ in range(6):
    epoch_of(base, adam, *parts["even"][:2])
print(f"even digits: accuracy {validate(base, *parts['even'][2:])[1]:.3f}")

model = copy.deepcopy(base)
model[4] = nn.Linear(32, 5)
for layer in (model[0], model[2]):
    layer.requires_grad_(False)
optimizer = torch.optim.Adam(model[4].parameters(), lr=5e-3)
scheduler = ReduceLROnPlateau(optimizer, factor=0.3, patience=1)
for epoch in range(14):
    if epoch == 4:
        model[2].requires_grad_(True)
        optimizer.add_param_group({"params": model[2].parameters(), "lr": 1e-3})
    if epoch == 8:
        model[0].requires_grad_(True)
        optimizer.add_param_group({"params": model[0].parameters(), "lr": 5e-4})
    epoch_of(model, optimizer, *parts["odd"][:2])
    loss, accuracy = validate(model, *parts["odd"][2:])
    scheduler.step(loss)
    rates = " ".join(f"{rate:.1e}" for rate in scheduler.get_last_lr())
    print(f"epoch {epoch:2d}: loss {loss:.3f} accuracy {accuracy:.3f} rates {rates}")
