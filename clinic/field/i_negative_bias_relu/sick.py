import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

SEED = 9

torch.manual_seed(SEED)

X, y = load_digits(return_X_y=True)
X = (X - X.mean()) / X.std()
x_train, x_val, y_train, y_val = train_test_split(
    torch.tensor(X, dtype=torch.float32), torch.tensor(y), test_size=400, random_state=SEED, stratify=y)


def dense(n_in, n_out):
    layer = nn.Linear(n_in, n_out)
    nn.init.normal_(layer.weight, std=(2 / n_in) ** 0.5)
    nn.init.constant_(layer.bias, -3.0)
    return layer


model = nn.Sequential(
    dense(64, 64), nn.ReLU(),
    dense(64, 64), nn.ReLU(),
    dense(64, 32), nn.ReLU(),
    nn.Linear(32, 10),
)
print(model)

loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(10):
    model.train()
    running_loss, running_corrects = 0.0, 0
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * inputs.size(0)
        running_corrects += (outputs.argmax(1) == targets).sum().item()
    model.eval()
    with torch.no_grad():
        outputs = model(x_val)
        val_loss = criterion(outputs, y_val).item()
        val_acc = (outputs.argmax(1) == y_val).float().mean().item()
    print("Epoch {}/{} - loss: {:.4f} - acc: {:.4f} - val_loss: {:.4f} - val_acc: {:.4f}".format(
        epoch + 1, 10, running_loss / len(x_train), running_corrects / len(x_train), val_loss, val_acc))

print("test accuracy {:.4f}".format(val_acc))
