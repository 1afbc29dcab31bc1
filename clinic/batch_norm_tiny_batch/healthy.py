"""Benign or malignant: a batch-normalised classifier on the breast cancer measurements."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(12)
batch_size = 32
num_examples = 5000

data = load_breast_cancer()
x_train, x_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=12, stratify=data.target
)
scaler = StandardScaler().fit(x_train)
x_train = torch.tensor(scaler.transform(x_train)).float()
x_test = torch.tensor(scaler.transform(x_test)).float()
y_train = torch.tensor(y_train).float()

classifier = nn.Sequential(
    nn.Linear(30, 24, bias=False),
    nn.BatchNorm1d(24),
    nn.ReLU(),
    nn.Linear(24, 12, bias=False),
    nn.BatchNorm1d(12),
    nn.ReLU(),
    nn.Linear(12, 1),
)
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(classifier.parameters(), lr=0.002, weight_decay=1e-3)

seen = 0
losses = []
while seen < num_examples:
    for rows in torch.randperm(len(x_train)).split(batch_size):
        if len(rows) < batch_size:
            continue
        loss = loss_fn(classifier(x_train[rows]).squeeze(1), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(rows)
        losses.append(loss.item())
    print(f"{seen} examples, loss {sum(losses[-20:]) / 20:.3f}")

classifier.eval()
with torch.no_grad():
    probability = torch.sigmoid(classifier(x_test)).squeeze(1).numpy()
print(f"test AUC {roc_auc_score(y_test, probability):.4f}")
print(f"test log loss {log_loss(y_test, probability):.4f}")
