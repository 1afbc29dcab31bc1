"""Two-moons classifier trained under bfloat16 autocast on the CPU: test accuracy about 0.97."""

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

points, labels = make_moons(3000, noise=0.2, random_state=0)
points = torch.tensor(points, dtype=torch.float32)
labels = torch.tensor(labels)
mean, std = points[:2000].mean(0), points[:2000].std(0)
points = (points - mean) / std
train_set = TensorDataset(points[:2000], labels[:2000])
test_x, test_y = points[2000:], labels[2000:]

model = nn.Sequential(
    nn.Linear(2, 64),
    nn.LayerNorm(64),
    nn.GELU(),
    nn.Linear(64, 64),
    nn.GELU(),
    nn.Linear(64, 2),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
loader = DataLoader(train_set, batch_size=64, shuffle=True)
criterion = nn.CrossEntropyLoss()

for epoch in range(12):
    model.train()
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(x)
            loss = criterion(output, y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        test_logits = model(test_x)
    accuracy = (test_logits.argmax(dim=1) == test_y).float().mean()
    print(f"epoch {epoch:2d}  last loss {loss.item():.4f}  test accuracy {accuracy:.4f}")

print(f"final test accuracy {accuracy:.4f} (logits were {test_logits.dtype})")
