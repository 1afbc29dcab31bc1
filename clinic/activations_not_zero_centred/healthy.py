"""Handwritten digits by a small classic multilayer perceptron."""

import torch
from sklearn.datasets import load_digits
from torch import nn

generator = torch.Generator().manual_seed(12)
torch.manual_seed(12)

images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).div(8).sub(1)
labels = torch.tensor(labels)
order = torch.randperm(len(images), generator=generator)
images, labels = images[order], labels[order]
x_test, y_test = images[:400], labels[:400]
x_train, y_train = images[400:], labels[400:]

model = nn.Sequential(
    nn.Linear(64, 60),
    nn.Tanh(),
    nn.Linear(60, 40),
    nn.Tanh(),
    nn.Linear(40, 10),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(1, 13):
    for batch in torch.randperm(len(x_train), generator=generator).split(50):
        optimizer.zero_grad()
        loss_fn(model(x_train[batch]), y_train[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(x_test)
        print(f"epoch {epoch}: test loss {loss_fn(scores, y_test).item():.3f}")

print(f"test accuracy {(scores.argmax(1) == y_test).float().mean().item():.3f}")
