"""Digits MLP, after training saliency maps and an FGSM attack: clean accuracy about 0.97, attacked about 0.75."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(0)

pixels, labels = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    pixels / 8.0 - 1.0, labels, test_size=0.25, stratify=labels, random_state=0
)
x_train = torch.tensor(x_train, dtype=torch.float32)
x_test = torch.tensor(x_test, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

classifier = nn.Sequential(
    nn.Linear(64, 80),
    nn.LeakyReLU(),
    nn.Dropout(0.25),
    nn.Linear(80, 40),
    nn.LeakyReLU(),
    nn.Linear(40, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(classifier.parameters(), lr=2e-3, weight_decay=1e-4)

for epoch in range(12):
    classifier.train()
    epoch_loss = 0.0
    for rows in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(classifier(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(rows) / len(x_train)
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}: loss {epoch_loss:.4f}")

classifier.eval()


def accuracy(inputs):
    with torch.no_grad():
        return (classifier(inputs).argmax(dim=1) == y_test).float().mean().item()


# Saliency: how strongly does the winning logit react to every pixel?
inputs = x_test.clone().requires_grad_(True)
classifier(inputs).max(dim=1).values.sum().backward()
saliency = inputs.grad.abs().mean(dim=0).view(8, 8)
centre_share = (saliency[2:6, 2:6].sum() / saliency.sum()).item()
print(f"share of the saliency in the centre {centre_share:.3f}")

# Fast gradient sign attack, a step of 0.15 on pixels between -1 and 1.
inputs = x_test.clone().requires_grad_(True)
criterion(classifier(inputs), y_test).backward()
attacked = (x_test + 0.15 * inputs.grad.sign()).clamp(-1, 1)
print(f"clean accuracy {accuracy(x_test):.4f}, attacked accuracy {accuracy(attacked):.4f}")
