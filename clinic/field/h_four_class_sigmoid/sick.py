import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 11
torch.manual_seed(SEED)

# 283 columns, 4 kinds of customers
X, y = make_classification(n_samples=3600, n_features=283, n_informative=24, n_redundant=40,
                           n_classes=4, n_clusters_per_class=1, class_sep=1.5, random_state=SEED)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)

model = nn.Sequential(
    nn.Linear(283, 100), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(100, 150), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(150, 200), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(200, 200), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(200, 200), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(200, 4), nn.Sigmoid(),
)


def init_normal(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, std=0.05)
        nn.init.zeros_(m.bias)


model.apply(init_normal)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)

for epoch in range(5):
    model.train()
    total, correct = 0.0, 0
    for xb, yb in loader:
        optimizer.zero_grad()
        out = model(xb)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
        correct += (out.argmax(1) == yb).sum().item()
    model.eval()
    with torch.no_grad():
        out = model(X_test)
        val_loss = criterion(out, y_test).item()
        val_acc = (out.argmax(1) == y_test).float().mean().item()
    print("Epoch %d/5 - loss: %.4f - acc: %.4f - val_loss: %.4f - val_acc: %.4f"
          % (epoch + 1, total / len(X_train), correct / len(X_train), val_loss, val_acc))

print("test accuracy %.3f" % val_acc)
