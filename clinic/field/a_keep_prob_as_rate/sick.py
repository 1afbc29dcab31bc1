"""Credit approval: fourteen attributes, yes or no, three hidden layers with dropout."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 3
torch.manual_seed(SEED)

X, y = make_classification(
    n_samples=1000,
    n_features=14,
    n_informative=8,
    n_redundant=2,
    class_sep=1.1,
    flip_y=0.03,
    random_state=SEED,
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32)
y_test = torch.tensor(y_test, dtype=torch.float32)


class CreditNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(14, 20)
        self.l2 = nn.Linear(20, 20)
        self.l3 = nn.Linear(20, 15)
        self.l4 = nn.Linear(15, 1)
        for layer in (self.l1, self.l2, self.l3, self.l4):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x, keep_prob):
        x = F.relu(self.l1(x))
        x = F.dropout(x, keep_prob)
        x = F.relu(self.l2(x))
        x = F.dropout(x, keep_prob)
        x = F.relu(self.l3(x))
        return self.l4(x).squeeze(1)


net = CreditNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
criterion = nn.BCEWithLogitsLoss()


def test_accuracy():
    net.eval()
    with torch.no_grad():
        logits = net(X_test, keep_prob=1.0)
    return ((logits > 0).float() == y_test).float().mean().item()


for epoch in range(30):
    net.train()
    total = 0.0
    for idx in torch.randperm(len(X_train)).split(50):
        optimizer.zero_grad()
        loss = criterion(net(X_train[idx], keep_prob=0.8), y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 4:
        print(
            f"epoch {epoch + 1} loss {total / len(X_train):.4f} test accuracy {test_accuracy():.3f}"
        )

print(f"test accuracy {test_accuracy():.3f}")
