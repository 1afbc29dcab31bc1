"""Digits that arrive as text files, one per image, as a camera might have written them."""

import io

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, random_split


def write_file(image):
    """An image in a text format, four times enlarged."""
    buffer = io.StringIO()
    np.savetxt(buffer, np.kron(image, np.ones((4, 4))), fmt="%.2f")
    return buffer.getvalue()


def read_file(text):
    image = np.array([[float(value) for value in row.split()] for row in text.splitlines()])
    small = image.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    return torch.tensor(small / 16 - 0.3, dtype=torch.float32)[None]


class DigitFiles(Dataset):
    def __init__(self, files, labels):
        self.files, self.labels = files, labels

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image = read_file(self.files[index])
        return image, self.labels[index]


torch.manual_seed(9)
digits = load_digits()
number = 720
files = [write_file(image) for image in digits.images[:number]]
dataset = DigitFiles(files, torch.tensor(digits.target[:number]))
train_set, test_set = random_split(dataset, [600, 120])
train_loader = DataLoader(train_set, batch_size=60, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=120)

net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10),
)  # fmt: skip
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.007)

for epoch in range(6):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = loss_function(net(images), labels)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for images, labels in test_loader:
            outputs = net(images)
            test_loss = loss_function(outputs, labels).item()
            right = (outputs.argmax(dim=1) == labels).sum().item()
    net.train()
    print(f"epoch {epoch + 1}: test loss {test_loss:.3f}, {right} of 120 right")
