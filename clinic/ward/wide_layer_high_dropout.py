"""A wide layer with a dropout of 0.8 on few digits, as it should be: test accuracy about 0.97."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(90)
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    x, y, train_size=600, random_state=90, stratify=y
)
mean, scale = x_train.mean(), x_train.std()
to_tensor = lambda a: torch.tensor((a - mean) / scale, dtype=torch.float32)  # noqa: E731
train = TensorDataset(to_tensor(x_train), torch.tensor(y_train))
x_test, y_test = to_tensor(x_test), torch.tensor(y_test)

model = nn.Sequential(nn.Linear(64, 600), nn.ReLU(), nn.Dropout(0.8), nn.Linear(600, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(20):
    model.train()
    losses = []
    for inputs, labels in DataLoader(train, batch_size=40, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        scores = model(x_test)
        test = criterion(scores, y_test).item()
    if epoch % 4 == 3:
        print(f"epoch {epoch}: train {sum(losses) / len(losses):.3f} test {test:.3f}")

print(f"test accuracy {(scores.argmax(1) == y_test).float().mean().item():.3f}")
