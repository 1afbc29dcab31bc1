# Small residual network, training and validation in two functions.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

SEED = 3
torch.manual_seed(SEED)


class ResBlock(nn.Module):
    def __init__(self, n_chans):
        super().__init__()
        self.conv = nn.Conv2d(n_chans, n_chans, kernel_size=3, padding=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(num_features=n_chans)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x):
        return torch.relu(self.batch_norm(self.conv(x))) + x


class NetResDeep(nn.Module):
    def __init__(self, n_chans=16, n_blocks=3):
        super().__init__()
        self.conv1 = nn.Conv2d(1, n_chans, kernel_size=3, padding=1)
        self.resblocks = nn.Sequential(*[ResBlock(n_chans) for _ in range(n_blocks)])
        self.fc1 = nn.Linear(2 * 2 * n_chans, 32)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        out = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        out = self.resblocks(out)
        out = F.max_pool2d(out, 2).flatten(1)
        out = self.drop(torch.relu(self.fc1(out)))
        return self.fc2(out)


def training_loop(n_epochs, optimizer, model, loss_fn, train_loader):
    for epoch in range(1, n_epochs + 1):
        model.train()
        loss_train = 0.0
        for imgs, labels in train_loader:
            loss = loss_fn(model(imgs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_train += loss.item()
        print(
            f"epoch {epoch}, training loss {loss_train / len(train_loader):.4f}, "
            f"accuracy {validate(model, val_loader):.3f}"
        )


def validate(model, loader):
    correct = 0
    total = 0
    with torch.no_grad():
        for imgs, labels in loader:
            predicted = model(imgs).argmax(dim=1)
            total += labels.shape[0]
            correct += int((predicted == labels).sum())
    return correct / total


digits = load_digits()
X = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
y = torch.tensor(digits.target)
train_idx, val_idx = train_test_split(range(len(X)), test_size=0.25, stratify=y, random_state=SEED)
X = (X - X[train_idx].mean()) / X[train_idx].std()
train_loader = DataLoader(TensorDataset(X[train_idx], y[train_idx]), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(X[val_idx], y[val_idx]), batch_size=4, shuffle=False)

model = NetResDeep()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
training_loop(6, optimizer, model, nn.CrossEntropyLoss(), train_loader)
print(f"test accuracy {validate(model, val_loader):.3f}")
