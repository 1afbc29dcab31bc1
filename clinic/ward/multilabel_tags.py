"""Several tags per example, most of them absent: test average precision about 0.66 (tag rate 0.15)."""

import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(70)
counts, tags = make_multilabel_classification(
    n_samples=2600, n_features=40, n_classes=12, n_labels=2, length=60, random_state=70
)
x = torch.tensor(counts, dtype=torch.float32).log1p()
y = torch.tensor(tags, dtype=torch.float32)
x = (x - x[:2000].mean(0)) / x[:2000].std(0)
print(f"tag rate {y.mean().item():.3f}")

tagger = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 12))
nn.init.constant_(tagger[3].bias, -1.6)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(tagger.parameters(), lr=3e-3, weight_decay=0.05)
loader = DataLoader(TensorDataset(x[:2000], y[:2000]), batch_size=64, shuffle=True)
for epoch in range(10):
    tagger.train()
    total = 0.0
    for features, wanted in loader:
        loss = criterion(tagger(features), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / len(loader)
    tagger.eval()
    with torch.inference_mode():
        scores = tagger(x[2000:])
        test = criterion(scores, y[2000:]).item()
    print(f"epoch {epoch}: train {total:.4f} test {test:.4f}")

print(f"test average precision {average_precision_score(tags[2000:], scores.sigmoid()):.3f}")
