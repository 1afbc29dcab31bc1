"""Five sensor values, three operating states (idle, normal, overload)."""
import torch
import torch.nn as nn
from sklearn.datasets import make_gaussian_quantiles
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 21
BATCH_SIZE = 20
EPOCHS = 10

torch.manual_seed(SEED)

features, states = make_gaussian_quantiles(n_samples=2500, n_features=5, n_classes=3, random_state=SEED)
dataset = TensorDataset(torch.from_numpy(features).float(), torch.from_numpy(states).long())
train_set, test_set = random_split(dataset, [2000, 500])
train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
test_loader = DataLoader(test_set, batch_size=250)


class StateClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(5, 32)
        self.fc2 = nn.Linear(32, 64)
        self.fc3 = nn.Linear(64, 32)
        self.fc4 = nn.Linear(32, 3)

    def forward(self, x):
        x = self.fc1(x)
        x = self.fc2(x)
        x = self.fc3(x)
        return self.fc4(x)


model = StateClassifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def test():
    model.eval()
    hits = 0
    with torch.no_grad():
        for x, y in test_loader:
            hits += (model(x).argmax(1) == y).sum().item()
    return hits / len(test_set)


for epoch in range(EPOCHS):
    model.train()
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Epoch {epoch + 1}/{EPOCHS} - loss: {total / len(train_loader):.4f} - val_acc: {test():.4f}")

print(f"test accuracy {test():.4f}")
