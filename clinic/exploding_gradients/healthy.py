"""A very deep and narrow net with batch normalisation, on handwritten digits."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(15)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x):
        return 0.3 * torch.relu(self.norm(self.linear(x)))


class DeepNet(nn.Module):
    def __init__(self, depth=40, width=32):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


x, y = load_digits(return_X_y=True)
x = (x - x.mean()) / x.std()
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=15)
x_train, x_test = (torch.tensor(part, dtype=torch.float32) for part in (x_train, x_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

net = DeepNet()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
for epoch in range(1, 6):
    net.train()
    for rows in torch.randperm(len(x_train))[:1344].split(64):
        optimizer.zero_grad()
        loss = loss_fn(net(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        scores = net(x_test)
        accuracy = (scores.argmax(dim=1) == y_test).float().mean().item()
        print(f"epoch {epoch}: test loss {loss_fn(scores, y_test):.3f}, accuracy {accuracy:.3f}")
