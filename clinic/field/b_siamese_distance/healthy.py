# Siamese network for "same digit or not", with an own distance function.
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

SEED = 3
MARGIN = 1.0


class EuclideanDistance(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        diff = a - b
        dist = diff.pow(2).sum(1).sqrt()
        ctx.save_for_backward(diff, dist)
        return dist

    @staticmethod
    def backward(ctx, grad_out):
        diff, dist = ctx.saved_tensors
        grad = grad_out.unsqueeze(1) * diff / dist.clamp(min=1e-6).unsqueeze(1)
        return grad, -grad


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 96),
            nn.ReLU(),
            nn.Linear(96, 48),
            nn.ReLU(),
            nn.Linear(48, 8),
        )

    def forward(self, left, right):
        return EuclideanDistance.apply(self.net(left), self.net(right))


def contrastive_loss(distance, same):
    pull = same * distance.pow(2)
    push = (1 - same) * torch.clamp(MARGIN - distance, min=0).pow(2)
    return (pull + push).mean()


def draw_pairs(labels, n, gen):
    """Half of the pairs show the same digit, half show two different ones."""
    left = torch.randint(len(labels), (n,), generator=gen)
    right = torch.randint(len(labels), (n,), generator=gen)
    same = torch.arange(n) % 2 == 0
    for i in range(n):
        wanted = labels[left[i]] == labels if same[i] else labels[left[i]] != labels
        choice = wanted.nonzero().flatten()
        right[i] = choice[torch.randint(len(choice), (1,), generator=gen)]
    return left, right, same.float()


torch.manual_seed(SEED)
gen = torch.Generator().manual_seed(SEED)
digits = load_digits()
order = torch.randperm(len(digits.target), generator=gen)
x = torch.tensor(digits.data, dtype=torch.float32)[order]
y = torch.tensor(digits.target)[order]
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]
mean, std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

model = Embedder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
test_left, test_right, test_same = draw_pairs(y_test, 1000, gen)


def accuracy():
    model.eval()
    with torch.no_grad():
        d = model(x_test[test_left], x_test[test_right])
    model.train()
    return ((d < MARGIN / 2).float() == test_same).float().mean().item()


for step in range(400):
    left, right, same = draw_pairs(y_train, 64, gen)
    loss = contrastive_loss(model(x_train[left], x_train[right]), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.4f} pairs right {accuracy():.3f}")

print(f"test accuracy {accuracy():.3f}")
