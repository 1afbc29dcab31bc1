# Pretrain a small CNN on plain digits, then fine-tune it on inverted, noisy ones.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 3
torch.manual_seed(SEED)

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels))
images, labels = images[order], labels[order]

# source task: clean digits; target task: white background, noise
source_x, source_y = images[:800], labels[:800]
target_x = 1 - images[800:] + 0.15 * torch.randn_like(images[800:])
target_y = labels[800:]
source_x = (source_x - source_x.mean()) / source_x.std()
target_mean, target_std = target_x[:600].mean(), target_x[:600].std()
target_x = (target_x - target_mean) / target_std
source_task = source_x[:650], source_y[:650], source_x[650:], source_y[650:]
target_task = target_x[:600], target_y[:600], target_x[600:], target_y[600:]


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(32)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.relu(self.bn3(self.conv3(x)))
        return F.max_pool2d(x, 2).flatten(1)


def fit(model, task, epochs, lr):
    x, y, test_x, test_y = task
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        batches = torch.randperm(len(x)).split(40)
        for idx in batches:
            loss = F.cross_entropy(model(x[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(
            f"  epoch {epoch + 1} loss {total / len(batches):.4f} test {score(model, test_x, test_y):.3f}"
        )


def score(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


backbone = Backbone()
print("pretraining")
fit(nn.Sequential(backbone, nn.Linear(128, 10)), source_task, epochs=5, lr=2e-3)

print("fine-tuning")
model = nn.Sequential(backbone, nn.Linear(128, 10))
fit(model, target_task, epochs=8, lr=2e-3)
print(f"test accuracy {score(model, *target_task[2:]):.3f}")
