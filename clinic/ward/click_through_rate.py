"""Clicks are rare by nature: a factorisation machine on hashed ids, 5 % positives, test AUC about 0.82."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

FIELDS, BUCKETS = 6, 50


class FactorizationMachine(nn.Module):
    def __init__(self, dim=4, base_rate=0.03):
        super().__init__()
        self.linear = nn.Embedding(FIELDS * BUCKETS, 1)
        self.factors = nn.Embedding(FIELDS * BUCKETS, dim)
        self.bias = nn.Parameter(torch.tensor(math.log(base_rate / (1 - base_rate))))
        nn.init.zeros_(self.linear.weight)
        nn.init.normal_(self.factors.weight, std=0.05)

    def forward(self, ids):
        v = self.factors(ids)
        pairs = 0.5 * (v.sum(1).square() - v.square().sum(1)).sum(1)
        return self.bias + self.linear(ids).sum((1, 2)) + pairs


def impressions(n, effect, generator):
    column = torch.multinomial(
        1.0 / torch.arange(1, BUCKETS + 1), n * FIELDS, True, generator=generator
    )
    ids = column.view(n, FIELDS)
    logit = -4.3 + effect[torch.arange(FIELDS), ids].sum(1)
    return ids + torch.arange(FIELDS) * BUCKETS, torch.bernoulli(
        logit.sigmoid(), generator=generator
    )


g = torch.Generator().manual_seed(2)
torch.manual_seed(2)
effect = 0.6 * torch.randn(FIELDS, BUCKETS, generator=g)
train_ids, train_clicks = impressions(40000, effect, g)
test_ids, test_clicks = impressions(20000, effect, g)
print(f"click rate {train_clicks.mean().item():.4f}")

model = FactorizationMachine(base_rate=train_clicks.mean().item())
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05)
for epoch in range(3):
    for rows in torch.randperm(len(train_ids)).split(256):
        loss = F.binary_cross_entropy_with_logits(model(train_ids[rows]), train_clicks[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(test_ids)
        entropy = F.binary_cross_entropy_with_logits(logits, test_clicks).item()
    print(f"epoch {epoch}: test log loss {entropy:.4f}")

print(f"test AUC {roc_auc_score(test_clicks, logits):.3f}, accuracy says nothing here")
