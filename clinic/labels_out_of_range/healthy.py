"""Logistic regression, by mini-batches, on a table whose label column holds two groups."""

import numpy as np
import torch
from sklearn.datasets import make_classification

generator = np.random.default_rng(3)
torch.manual_seed(3)

features, group = make_classification(
    n_samples=1500, n_features=12, n_informative=6, class_sep=1.2, random_state=3
)
table = np.column_stack([features, group + 1])  # as in the file: groups 1 and 2
table = table[generator.permutation(len(table))]
inputs = torch.tensor(table[:, :-1], dtype=torch.float32)
labels = torch.tensor(table[:, -1] - 1, dtype=torch.float32)
inputs = (inputs - inputs[:1200].mean(dim=0)) / inputs[:1200].std(dim=0)

model = torch.nn.Linear(12, 1)
criterion = torch.nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(10):
    for rows in torch.randperm(1200).chunk(30):
        optimizer.zero_grad()
        loss = criterion(model(inputs[rows]).squeeze(1), labels[rows])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(inputs[1200:]).squeeze(1)
        held_out = criterion(scores, labels[1200:]).item()
    print(f"epoch {epoch + 1:2d}: held-out loss {held_out:.3f}")

predicted = (scores > 0).float().numpy() + table[:, -1].min()
print(f"test accuracy {(predicted == table[1200:, -1]).mean():.3f}")
