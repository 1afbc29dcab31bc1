"""Four groups of points in twenty dimensions, of which half tell something."""

import torch
from sklearn.datasets import make_classification
from torch import nn

EXAMPLES = 1500
STEPS = 400

torch.manual_seed(4)
values, groups = make_classification(
    n_samples=1500,
    n_features=20,
    n_informative=8,
    n_redundant=0,
    n_classes=4,
    n_clusters_per_class=1,
    class_sep=1.5,
    random_state=4,
)
x = torch.tensor(values, dtype=torch.float32)[:EXAMPLES]
y = torch.tensor(groups)[:EXAMPLES]

model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()

for step in range(STEPS):
    rows = torch.randint(len(x), (32,))
    optimizer.zero_grad()
    loss = criterion(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        print(f"step {step + 1}: {loss.item():.3f}")
