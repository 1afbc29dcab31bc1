"""Convolutional network on digits with mixup: test accuracy about 0.98, training loss stays near 0.7."""

import numpy as np
import torch
from sklearn import datasets
from torch import nn

rng = np.random.default_rng(6)
torch.manual_seed(6)

digits = datasets.load_digits()
x = torch.as_tensor(digits.images / 16.0, dtype=torch.float32)[:, None]
y = torch.as_tensor(digits.target)
shuffled = torch.as_tensor(rng.permutation(len(x)))
x, y = x[shuffled], y[shuffled]
x_train, y_train, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]
mu, sigma = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mu) / sigma, (x_test - mu) / sigma

net = nn.Sequential(
    nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, kernel_size=3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(2),
    nn.Flatten(),
    nn.Linear(128, 10),
)
criterion = nn.CrossEntropyLoss()
epochs, size = 6, 50
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=epochs)

for epoch in range(epochs):
    net.train()
    order = torch.as_tensor(rng.permutation(len(x_train)))
    history = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        partner = rows[torch.as_tensor(rng.permutation(len(rows)))]
        lam = float(rng.beta(0.4, 0.4))
        mixed = lam * x_train[rows] + (1 - lam) * x_train[partner]
        logits = net(mixed)
        loss = lam * criterion(logits, y_train[rows])
        loss = loss + (1 - lam) * criterion(logits, y_train[partner])
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append(loss.item())
    schedule.step()
    net.eval()
    with torch.no_grad():
        output = net(x_test)
        value = criterion(output, y_test).item()
    print(f"epoch {epoch}: mixed train loss {np.mean(history):.3f}, clean test loss {value:.3f}")

print(f"test accuracy {(output.argmax(1) == y_test).float().mean().item():.4f}")
