"""Fine-grained birds in small: twelve kinds that differ by the colours of three parts."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 9
torch.manual_seed(SEED)

KINDS = 12
palette = torch.randn(KINDS, 3, 3)


def birds(n):
    kind = torch.randint(0, KINDS, (n,))
    pictures = torch.randn(n, 3, 9, 9) * 0.7
    for part in range(3):
        colour = palette[kind, part] + 0.25 * torch.randn(n, 3)
        pictures[:, :, 3 * part:3 * part + 3, 3:6] += colour[:, :, None, None]
    return pictures, kind


train_x, train_y = birds(1200)
test_x, test_y = birds(600)
mean, std = train_x.mean(dim=(0, 2, 3), keepdim=True), train_x.std(dim=(0, 2, 3), keepdim=True)
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std
train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=40, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=100)


class Backbone(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d((1, 3)),
        )
        self.embed = nn.Linear(32 * 3, 24)
        self.fc = nn.Linear(24, num_classes)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        x = torch.relu(self.embed(x))
        x = nn.Dropout(p=0.5)(x)
        return self.fc(x)


net = Backbone(KINDS)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


def evaluate(loader):
    net.eval()
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (net(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)


for epoch in range(16):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print("epoch %d  loss %.3f  test %.3f" % (epoch + 1, loss.item(), evaluate(test_loader)))

print("test accuracy %.3f" % evaluate(test_loader))
