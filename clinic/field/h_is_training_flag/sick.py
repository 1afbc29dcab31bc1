import torch
from torch import nn
from sklearn.datasets import load_digits

SEED = 17
torch.manual_seed(SEED)


def dropout(X, p):
    assert 0 <= p <= 1
    if p == 1:
        return torch.zeros_like(X)
    mask = (torch.rand(X.shape) > p).float()
    return mask * X / (1.0 - p)


p1, p2 = 0.5, 0.5


class Net(nn.Module):
    def __init__(self, num_inputs, num_outputs, num_hiddens1, num_hiddens2, is_training=True):
        super().__init__()
        self.num_inputs = num_inputs
        self.is_training = is_training
        self.lin1 = nn.Linear(num_inputs, num_hiddens1)
        self.lin2 = nn.Linear(num_hiddens1, num_hiddens2)
        self.lin3 = nn.Linear(num_hiddens2, num_outputs)
        self.relu = nn.ReLU()

    def forward(self, X):
        H1 = self.relu(self.lin1(X.reshape((-1, self.num_inputs))))
        if self.is_training:
            H1 = dropout(H1, p1)
        H2 = self.relu(self.lin2(H1))
        if self.is_training:
            H2 = dropout(H2, p2)
        return self.lin3(H2)


def accuracy(y_hat, y):
    return float((y_hat.argmax(axis=1) == y).sum())


def evaluate_accuracy(net, data_iter):
    net.eval()
    right, n = 0.0, 0
    with torch.no_grad():
        for X, y in data_iter:
            right += accuracy(net(X), y)
            n += y.numel()
    return right / n


def train_epoch(net, train_iter, loss, updater):
    net.train()
    total, right, n = 0.0, 0.0, 0
    for X, y in train_iter:
        y_hat = net(X)
        l = loss(y_hat, y)
        updater.zero_grad()
        l.backward()
        updater.step()
        total += float(l) * y.numel()
        right += accuracy(y_hat, y)
        n += y.numel()
    return total / n, right / n


def load_data(batch_size):
    digits = load_digits()
    X = torch.tensor(digits.images, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    perm = torch.randperm(len(y))
    X, y = X[perm], y[perm]
    X = (X - X[:1400].mean()) / X[:1400].std()
    train = torch.utils.data.TensorDataset(X[:1400], y[:1400])
    test = torch.utils.data.TensorDataset(X[1400:], y[1400:])
    return (torch.utils.data.DataLoader(train, batch_size, shuffle=True),
            torch.utils.data.DataLoader(test, batch_size))


num_epochs, lr, batch_size = 10, 0.1, 32
net = Net(64, 10, 128, 64)
loss = nn.CrossEntropyLoss()
trainer = torch.optim.SGD(net.parameters(), lr=lr)
train_iter, test_iter = load_data(batch_size)

for epoch in range(num_epochs):
    train_loss, train_acc = train_epoch(net, train_iter, loss, trainer)
    test_acc = evaluate_accuracy(net, test_iter)
    print(f'epoch {epoch + 1}, loss {train_loss:.4f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}')

print(f'test accuracy {test_acc:.3f}')
