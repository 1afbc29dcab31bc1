"""Tell even from odd digits with a small convolutional net."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def build_model():
    body = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )
    for parameter in body.parameters():
        parameter.requires_grad = False
    return nn.Sequential(body, nn.Linear(24, 2))


def evaluate(model, loader, loss_function):
    model.eval()
    total, right, count = 0.0, 0, 0
    with torch.no_grad():
        for image, label in loader:
            scores = model(image)
            total += loss_function(scores, label).item() * len(label)
            right += (scores.argmax(1) == label).sum().item()
            count += len(label)
    return total / count, right / count


def main():
    torch.manual_seed(12)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    images = (images - images.mean()) / images.std()
    data = TensorDataset(images, torch.tensor(digits.target) % 2)
    train_set, test_set = random_split(data, [1400, len(data) - 1400])
    train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=200)
    model = build_model()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(8):
        model.train()
        for image, label in train_loader:
            optimizer.zero_grad()
            loss = loss_function(model(image), label)
            loss.backward()
            optimizer.step()
        test_loss, accuracy = evaluate(model, test_loader, loss_function)
        print(f"epoch {epoch}: test loss {test_loss:.3f}, test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
