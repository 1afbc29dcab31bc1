"""The classic small convnet for handwritten digits."""
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 42
batch_size = 32
num_classes = 10
epochs = 12

torch.manual_seed(SEED)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.2, random_state=SEED, stratify=digits.target
)
x_train = torch.tensor(x_train, dtype=torch.float32).unsqueeze(1) / 16
x_test = torch.tensor(x_test, dtype=torch.float32).unsqueeze(1) / 16
mean, std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = nn.Sequential(
    nn.Conv2d(1, 16, kernel_size=3),
    nn.ReLU(),
    nn.Conv2d(16, 32, kernel_size=3),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Dropout(0.25),
    nn.Flatten(),
    nn.Linear(32 * 2 * 2, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, num_classes),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adadelta(model.parameters(), lr=0.001, rho=0.95)

train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=batch_size, shuffle=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=128)


def train_one_epoch():
    model.train()
    total = 0.0
    for images, targets in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), targets)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    return total / len(x_train)


@torch.no_grad()
def evaluate():
    model.eval()
    total, correct = 0.0, 0
    for images, targets in test_loader:
        scores = model(images)
        total += loss_fn(scores, targets).item() * len(images)
        correct += (scores.argmax(dim=1) == targets).sum().item()
    return total / len(x_test), correct / len(x_test)


for epoch in range(1, epochs + 1):
    train_loss = train_one_epoch()
    val_loss, val_acc = evaluate()
    print(f"Epoch {epoch}/{epochs} loss: {train_loss:.4f} - val_loss: {val_loss:.4f} - val_accuracy: {val_acc:.4f}")

print(f"test accuracy {evaluate()[1]:.4f}")
