"""A converged regressor is fine-tuned at a small rate on fresh data of the same kind: test R2 stays near 0.97."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def data(n):
    x = torch.randn(n, 5)
    y = x[:, 0] * torch.sigmoid(2 * x[:, 1]) + torch.tanh(x[:, 2]) - 0.5 * x[:, 3]
    return TensorDataset(x, (y + 0.15 * torch.randn(n)).unsqueeze(1))


def epoch_of(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


@torch.no_grad()
def r_squared(model, dataset):
    model.eval()
    x, y = dataset.tensors
    return (1 - (model(x) - y).square().mean() / y.var(unbiased=False)).item()


torch.manual_seed(0)
test = data(2000)
net = nn.Sequential(nn.Linear(5, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

first = DataLoader(data(4000), batch_size=64, shuffle=True)
adam = torch.optim.Adam(net.parameters(), lr=3e-3)
decay = torch.optim.lr_scheduler.ExponentialLR(adam, gamma=0.75)
for epoch in range(10):
    print(f"training {epoch}: loss {epoch_of(net, first, adam):.4f}")
    decay.step()
print(f"R2 of the checkpoint {r_squared(net, test):.4f}")
checkpoint = copy.deepcopy(net.state_dict())

tuned = copy.deepcopy(net)
tuned.load_state_dict(checkpoint)
second = DataLoader(data(4000), batch_size=64, shuffle=True)
small = torch.optim.AdamW(tuned.parameters(), lr=2e-4, weight_decay=0.01)
for epoch in range(6):
    print(f"fine-tuning {epoch}: loss {epoch_of(tuned, second, small):.4f}")
print(f"R2 after fine-tuning {r_squared(tuned, test):.4f}")
