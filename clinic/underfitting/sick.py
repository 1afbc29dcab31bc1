"""Handwritten digits from their pixels; Adam, batches of 64 drawn by index."""

import torch
from sklearn.datasets import load_digits
from torch import nn

UNITS = 2
EPOCHS = 30

torch.manual_seed(5)
pixels, digits = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
pixels = pixels.float() / 8 - 1
shuffled = torch.randperm(len(digits))
train, test = shuffled[:1300], shuffled[1300:]

model = nn.Sequential()
model.add_module("reduce", nn.Linear(64, UNITS))
model.add_module("squash", nn.Tanh())
model.add_module("classify", nn.Linear(UNITS, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
log_loss = nn.CrossEntropyLoss()

for epoch in range(EPOCHS):
    model.train()
    for rows in train[torch.randperm(len(train))].split(64):
        optimizer.zero_grad()
        error = log_loss(model(pixels[rows]), digits[rows])
        error.backward()
        optimizer.step()
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            scores = model(pixels[test])
            test_error = log_loss(scores, digits[test]).item()
            accuracy = (scores.argmax(1) == digits[test]).float().mean().item()
        print(f"epoch {epoch + 1}: test loss {test_error:.3f}, test accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
