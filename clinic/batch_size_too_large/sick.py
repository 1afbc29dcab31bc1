import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import make_classification
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(6)
BATCH_SIZE = 3000

features, labels = make_classification(
    n_samples=4000, n_features=20, n_informative=12, n_classes=5, class_sep=1.2, random_state=6
)
features = torch.from_numpy(features).float()
features = (features - features.mean(dim=0)) / features.std(dim=0)
dataset = TensorDataset(features, torch.from_numpy(labels))
train_set, valid_set = random_split(dataset, [3000, 1000])
train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
valid_loader = DataLoader(valid_set, batch_size=500)

net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
loss_function = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(1, 13):
    net.train()
    for inputs, classes in train_loader:
        optimizer.zero_grad()
        loss = loss_function(net(inputs), classes)
        loss.backward()
        optimizer.step()
    net.eval()
    valid_loss, correct = 0.0, 0
    with torch.no_grad():
        for inputs, classes in valid_loader:
            outputs = net(inputs)
            valid_loss += loss_function(outputs, classes).item() / len(valid_loader)
            correct += (outputs.argmax(dim=1) == classes).sum().item()
    print(f"[{epoch:2d}] train {loss.item():.3f} valid {valid_loss:.3f} correct {correct}/1000")

print(f"validation accuracy {correct / 1000:.3f}")
