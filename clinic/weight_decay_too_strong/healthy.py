import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(77)

x, y = load_diabetes(return_X_y=True)
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)
mix = torch.randperm(len(x))
x, y = x[mix], y[mix]
x = (x - x[:330].mean(0)) / x[:330].std(0)
y = (y - y[:330].mean()) / y[:330].std()
train = TensorDataset(x[:330], y[:330])
x_held, y_held = x[330:], y[330:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(20, 20)
        self.fc3 = nn.Linear(20, 1)

    def forward(self, x):
        x = F.elu(self.fc1(x))
        x = F.elu(self.fc2(x))
        return self.fc3(x)[:, 0]


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=0.01)
for epoch in range(25):
    for inputs, targets in DataLoader(train, batch_size=30, shuffle=True):
        optimizer.zero_grad()
        loss = F.mse_loss(net(inputs), targets)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mse = F.mse_loss(net(x_held), y_held).item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: held-out mse {mse:.3f}")

print(f"held-out R2 {1 - mse / y_held.var().item():.3f}")
