"""Handwritten digits with a deep stack of convolutions."""
from sklearn.datasets import load_digits
import torch
import torch.nn as nn

SEED = 6
BATCH_SIZE = 50
EPOCHS = 8
torch.manual_seed(SEED)

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16.0
images = nn.functional.interpolate(images, size=(12, 12), mode="bilinear", align_corners=False)
images = (images - images.mean()) / images.std()
target = torch.tensor(digits.target)
order = torch.randperm(len(images))
images, target = images[order], target[order]
x_train, y_train = images[:1300], target[:1300]
x_test, y_test = images[1300:], target[1300:]

widths = [4, 6, 8, 12, 8, 8, 6, 6]
layers = []
previous = 1
for depth, width in enumerate(widths):
    layers.append(nn.Conv2d(previous, width, kernel_size=3, padding=1))
    layers.append(nn.ReLU())
    previous = width
    if depth in (1, 3):
        layers.append(nn.MaxPool2d(2))
layers.append(nn.Flatten())
layers.append(nn.Linear(previous * 3 * 3, 64))
layers.append(nn.ReLU())
layers.append(nn.Linear(64, 10))
model = nn.Sequential(*layers)
for module in model:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)


def test():
    model.eval()
    with torch.no_grad():
        scores = model(x_test)
    model.train()
    return criterion(scores, y_test).item(), (scores.argmax(1) == y_test).float().mean().item()


for epoch in range(1, EPOCHS + 1):
    permutation = torch.randperm(len(x_train))
    seen_loss = 0.0
    for start in range(0, len(x_train), BATCH_SIZE):
        batch = permutation[start:start + BATCH_SIZE]
        optimizer.zero_grad()
        output = model(x_train[batch])
        loss = criterion(output, y_train[batch])
        loss.backward()
        optimizer.step()
        seen_loss += loss.item() * len(batch)
    test_loss, test_acc = test()
    print(f"Epoch {epoch}/{EPOCHS} - loss: {seen_loss / len(x_train):.4f} - val_loss: {test_loss:.4f} - val_accuracy: {test_acc:.4f}")

print(f"test accuracy {test_acc:.4f}")
