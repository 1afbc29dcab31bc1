"""Radial basis function network with a hand-derived backward pass."""

import torch
from sklearn.datasets import make_moons
from torch import nn

SEED = 3
N_CENTERS = 12


class RBFFunction(torch.autograd.Function):
    """phi_j(x) = exp(-gamma_j * |x - c_j|^2)"""

    @staticmethod
    def forward(ctx, x, centers, gamma):
        diff = x.unsqueeze(1) - centers.unsqueeze(0)
        sq = diff.pow(2).sum(-1)
        phi = torch.exp(-gamma * sq)
        ctx.save_for_backward(diff, sq, phi, gamma)
        return phi

    @staticmethod
    def backward(ctx, grad_phi):
        diff, sq, phi, gamma = ctx.saved_tensors
        common = (grad_phi * phi * gamma).unsqueeze(-1)
        grad_x = (-2.0 * common * diff).sum(1)
        grad_centers = (-2.0 * common * diff).sum(0)
        grad_gamma = (-sq * phi * grad_phi).sum(0)
        return grad_x, grad_centers, grad_gamma


class RBFLayer(nn.Module):
    def __init__(self, in_features, n_centers):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(n_centers, in_features))
        self.gamma = nn.Parameter(torch.full((n_centers,), 1.0))

    def forward(self, x):
        return RBFFunction.apply(x, self.centers, self.gamma)


class RBFNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.rbf = RBFLayer(2, N_CENTERS)
        self.out = nn.Linear(N_CENTERS, 1)

    def forward(self, x):
        return self.out(self.rbf(x)).squeeze(-1)


torch.manual_seed(SEED)
X, y = make_moons(1200, noise=0.15, random_state=SEED)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)
X_train, X_test, y_train, y_test = X[:800], X[800:], y[:800], y[800:]
mean, std = X_train.mean(0), X_train.std(0)
X_train, X_test = (X_train - mean) / std, (X_test - mean) / std

net = RBFNet()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.03)

for epoch in range(40):
    net.train()
    perm = torch.randperm(len(X_train))
    for idx in perm.split(40):
        optimizer.zero_grad()
        loss = loss_fn(net(X_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        net.eval()
        with torch.no_grad():
            val = loss_fn(net(X_test), y_test)
        print(f"epoch {epoch + 1} train {loss.item():.4f} val {val.item():.4f}")

net.eval()
with torch.no_grad():
    acc = ((net(X_test) > 0).float() == y_test).float().mean()
print(f"test accuracy {acc.item():.3f}")
