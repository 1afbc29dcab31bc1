import torch
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import scale
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SwishFunction(torch.autograd.Function):
    """x * sigmoid(x), keeping only its input for the backward pass."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad_output * (s + x * s * (1 - s))


class Swish(nn.Module):
    def forward(self, x):
        return SwishFunction.apply(x)


torch.manual_seed(17)
x, y = make_friedman1(n_samples=600, noise=0.5, random_state=17)
x, y = (torch.tensor(scale(part), dtype=torch.float32) for part in (x, y))
shuffle = torch.randperm(len(x))
train = TensorDataset(x[shuffle[:450]], y[shuffle[:450], None])
x_test, y_test = x[shuffle[450:]], y[shuffle[450:], None]

model = nn.Sequential(nn.Linear(10, 32), Swish(), nn.Linear(32, 16), Swish(), nn.Linear(16, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.5, weight_decay=1e-3)

for epoch in range(15):
    for inputs, targets in DataLoader(train, batch_size=30, shuffle=True):
        loss = loss_fn(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 3 == 0:
        with torch.no_grad():
            error = loss_fn(model(x_test), y_test)
        print(f"epoch {epoch + 1}: test error {error:.3f} of variance {y_test.var():.3f}")
