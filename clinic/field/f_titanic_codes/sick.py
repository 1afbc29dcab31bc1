"""Who survives? Passenger list with label-encoded text columns -> two classes."""
import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from torch import nn

SEED = 5
np.random.seed(SEED)
torch.manual_seed(SEED)

# ------------------------------------------------------------------ the passenger list
N = 1309
pclass = np.random.choice([1, 2, 3], size=N, p=[0.24, 0.21, 0.55])
sex = np.random.choice(["male", "female"], size=N, p=[0.65, 0.35])
age = np.clip(np.random.normal(30, 14, size=N), 1, 80).round()
sibsp = np.random.poisson(0.5, size=N)
parch = np.random.poisson(0.4, size=N)
fare = np.random.lognormal(4.9 - 0.75 * pclass, 0.6)
ticket = np.array(["T%05d" % t for t in np.random.randint(0, 60000, size=N)])
cabin = np.where(np.random.rand(N) < 0.25, ["C%03d" % c for c in np.random.randint(0, 150, size=N)], "none")
embarked = np.random.choice(["S", "C", "Q"], size=N, p=[0.72, 0.19, 0.09])

score = 3.2 * (sex == "female") - 1.1 * (pclass - 2) - 0.045 * (age - 30) - 0.4 * sibsp + 0.3 * (embarked == "C") - 1.3
survived = (np.random.rand(N) < 1 / (1 + np.exp(-1.3 * score))).astype(int)

columns = [np.arange(1, N + 1), pclass, sex, age, sibsp, parch, ticket, fare, cabin, embarked]
table = []
for c in columns:
    if c.dtype.kind in "US":
        c = LabelEncoder().fit_transform(c)
    table.append(c.astype(float))
X = np.stack(table, axis=1)

X_tr, X_te, y_tr, y_te = train_test_split(X, survived, test_size=0.25, random_state=SEED, stratify=survived)
X_tr, X_te = torch.tensor(X_tr, dtype=torch.float32), torch.tensor(X_te, dtype=torch.float32)
y_tr, y_te = torch.tensor(y_tr), torch.tensor(y_te)

# ------------------------------------------------------------------ the network
model = nn.Sequential(nn.Linear(X_tr.shape[1], 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 2), nn.LogSoftmax(dim=1))
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(1, 11):
    model.train()
    perm = torch.randperm(len(X_tr))
    losses = []
    for idx in perm.split(16):
        optimizer.zero_grad()
        loss = criterion(model(X_tr[idx]), y_tr[idx])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        acc = (model(X_te).argmax(1) == y_te).float().mean().item()
    print(f"epoch {epoch:2d} loss {np.mean(losses):.4f} acc {acc:.4f}")

print(f"test accuracy {acc:.4f}")
