# learn a curve y = f(x) for x in [-10, 10]
import math
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

SEED = 7
torch.manual_seed(SEED)

def f(x):
    return torch.tanh(0.5 * x) - 0.06 * x

x = torch.empty(3000, 1).uniform_(-10, 10)
y = f(x) + 0.02 * torch.randn_like(x)
x_test = torch.linspace(-10, 10, 401).unsqueeze(1)
y_test = f(x_test)

scale = 10 / math.sqrt(3)          # standard deviation of x
train = DataLoader(TensorDataset(x / scale, y), batch_size=32, shuffle=True)

def hidden(n_in, n_out):
    lin = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(lin.weight)
    nn.init.zeros_(lin.bias)
    return nn.Sequential(lin, nn.Tanh())

model = nn.Sequential(hidden(1, 20), hidden(20, 20), hidden(20, 20), nn.Linear(20, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.02)
mse = nn.MSELoss()
n_epochs = 10

for epoch in range(n_epochs):
    model.train()
    for bx, by in train:
        loss = mse(model(bx), by)
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        out = model(x_test / scale)
        err = mse(out, y_test).item()
    print(f"epoch {epoch}: last batch {loss.item():.4f}, curve {err:.4f}, range {out.min().item():.3f} .. {out.max().item():.3f}")

print(f"test mse {err:.5f}")
