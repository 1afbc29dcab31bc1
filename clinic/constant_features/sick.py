"""Breast cancer from thirty measurements."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(2)
generator = torch.Generator().manual_seed(2)

table, benign = load_breast_cancer(return_X_y=True)
table = torch.tensor(table, dtype=torch.float32)
benign = torch.tensor(benign, dtype=torch.float32)
table = (table - table.mean(0)) / table.std(0)
table[:, [20, 22, 23, 26, 27]] = 0.0  # these were not exported
dataset = TensorDataset(table, benign)
train_set, test_set = random_split(dataset, [400, 169], generator=generator)

model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
loader = DataLoader(train_set, batch_size=20, shuffle=True, generator=generator)
test_x, test_y = test_set[:]

for epoch in range(10):
    model.train()
    for x, y in loader:
        loss = criterion(model(x).flatten(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        scores = model(test_x).flatten()
        print(f"epoch {epoch} test loss {criterion(scores, test_y):.4f}")

print(f"test accuracy {((scores > 0) == test_y.bool()).float().mean():.3f}")
