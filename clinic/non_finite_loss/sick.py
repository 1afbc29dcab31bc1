import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(0)

features, benign = load_breast_cancer(return_X_y=True)
labels = 1 - benign  # malignant is the positive class
x_train, x_test, y_train, y_test = train_test_split(
    features, labels, test_size=0.3, random_state=0, stratify=labels
)
scaler = StandardScaler().fit(x_train)
x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32)
y_test = torch.tensor(y_test, dtype=torch.float32)

model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(25):
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(32):
        x, y = x_train[rows], y_train[rows]
        p = torch.sigmoid(model(x).squeeze(1))
        loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {total / len(x_train):.4f}")

with torch.no_grad():
    predicted = (model(x_test).squeeze(1) > 0).float()
print(f"test accuracy {(predicted == y_test).float().mean().item():.3f}")
