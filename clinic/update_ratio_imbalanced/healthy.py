"""Handwritten digits through a narrow net, with a rate of its own for each part of it."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU())
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        return self.head(self.body(x))


torch.manual_seed(33)
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=33)
center, scale = x_train.mean(), x_train.std()
x_train = torch.tensor((x_train - center) / scale, dtype=torch.float)
x_test = torch.tensor((x_test - center) / scale, dtype=torch.float)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(
    [
        {"params": model.body.parameters(), "lr": 1e-3},
        {"params": model.head.parameters(), "lr": 3e-3},
    ],
    weight_decay=0.01,
)

for epoch in range(15):
    model.train()
    for rows in torch.randperm(len(x_train)).split(48):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = model(x_test)
        test_loss = criterion(logits, y_test).item()
        accuracy = (logits.argmax(dim=1) == y_test).float().mean().item()
    print(f"{epoch + 1:2d}  test loss {test_loss:.3f}  test accuracy {accuracy:.3f}")
print(f"test accuracy {accuracy:.3f}")
