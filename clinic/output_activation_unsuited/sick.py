import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(2)

table = load_diabetes()
x = torch.tensor(table.data, dtype=torch.float32)
x = (x - x.mean(dim=0)) / x.std(dim=0)
y = torch.tensor(table.target, dtype=torch.float32).view(-1, 1)
y = (y - y.mean()) / y.std()
shuffled = torch.randperm(len(x))
x, y = x[shuffled], y[shuffled]
x_train, y_train, x_test, y_test = x[:330], y[:330], x[330:], y[330:]

model = nn.Sequential(
    nn.Linear(10, 16),
    nn.Tanh(),
    nn.Linear(16, 1),
    nn.ReLU(),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

for epoch in range(30):
    for x_batch, y_batch in zip(x_train.split(33), y_train.split(33)):
        error = model(x_batch) - y_batch
        loss = (error**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    order = torch.randperm(len(x_train))
    x_train, y_train = x_train[order], y_train[order]
    if epoch % 10 == 9:
        with torch.no_grad():
            print(
                "epoch", epoch + 1, "test", round(((model(x_test) - y_test) ** 2).mean().item(), 3)
            )

with torch.no_grad():
    print(f"test mse {((model(x_test) - y_test) ** 2).mean().item():.3f}")
