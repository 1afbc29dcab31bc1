"""Predict which parts will fail: about 1 in 30 does."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

SEED = 7
rs = np.random.RandomState(SEED)
torch.manual_seed(SEED)


def parts(n):
    failed = rs.rand(n) < 0.033
    x = rs.randn(n, 12)
    x[failed, 0] += 1.1
    x[failed, 3] -= 1.0
    x[failed, 5] += 0.9
    x[failed, 8] *= 1.8
    return x.astype(np.float32), failed.astype(np.float32)


x_train, y_train = parts(6000)
x_test, y_test = parts(4000)
mu, sigma = x_train.mean(axis=0), x_train.std(axis=0)
x_train, x_test = map(torch.from_numpy, ((x_train - mu) / sigma, (x_test - mu) / sigma))
y_train_t, y_test_t = torch.from_numpy(y_train), torch.from_numpy(y_test)
print("failures in training: %d of %d" % (y_train.sum(), len(y_train)))


class FailureNet(nn.Module):
    def __init__(self):
        super(FailureNet, self).__init__()
        self.hidden1 = nn.Linear(12, 32)
        self.hidden2 = nn.Linear(32, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.hidden1(x))
        x = F.relu(self.hidden2(x))
        return self.out(x).squeeze(1)


net = FailureNet()
n_failed = y_train_t.sum()
criterion = nn.BCEWithLogitsLoss(pos_weight=(len(y_train_t) - n_failed) / n_failed)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(10):
    net.train()
    losses, right = [], 0
    for idx in torch.randperm(len(x_train)).split(64):
        logit = net(x_train[idx])
        loss = criterion(logit, y_train_t[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right += ((logit > 0).float() == y_train_t[idx]).sum().item()
    net.eval()
    with torch.no_grad():
        logit = net(x_test)
        vloss = criterion(logit, y_test_t).item()
    guess = (logit > 0).numpy()
    print("epoch %2d  loss %.4f  acc %.4f  val_loss %.4f  val_acc %.4f" % (
        epoch, np.mean(losses), right / len(x_train), vloss, (guess == y_test).mean()))

print(confusion_matrix(y_test, guess))
print("test balanced accuracy %.4f" % balanced_accuracy_score(y_test, guess))
