"""A stacked LSTM that answers the exclusive or of all bits of a sequence, one-hot."""

import torch
from torch import nn

SEED = 3
EPOCHS = 70
torch.manual_seed(SEED)


def sequences(n, length=4):
    bits = torch.randint(0, 2, (n, length, 1)).float()
    parity = bits.sum(dim=(1, 2)).long() % 2
    one_hot = torch.eye(2)[parity]
    return (2 * bits - 1) + 0.2 * torch.randn(n, length, 1), one_hot


x_train, y_train = sequences(512)
x_test, y_test = sequences(256)


class XorNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(1, 10, batch_first=True)
        self.second = nn.LSTM(10, 10, batch_first=True)
        self.answer = nn.Linear(10, 2)

    def forward(self, x):
        x, _ = self.first(x)
        x, _ = self.second(x)
        return self.answer(x[:, -1])


net = XorNet()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)


def score():
    net.eval()
    with torch.no_grad():
        return (net(x_test).argmax(1) == y_test.argmax(1)).float().mean().item()


for epoch in range(EPOCHS):
    net.train()
    running = 0.0
    for part in torch.randperm(512).split(32):
        optimizer.zero_grad()
        loss = loss_function(net(x_train[part]), y_train[part])
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {running / 16:.4f} accuracy {score():.3f}")

print(f"test accuracy {score():.3f}")
