import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def conv_block(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class Net(nn.Module):
    def __init__(self, channels=12, depth=5):
        super().__init__()
        blocks = [conv_block(1, channels)]
        blocks += [conv_block(channels, channels) for _ in range(depth - 1)]
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(4 * channels, 10)

    def forward(self, x):
        x = self.pool(self.features(x)).flatten(1)
        return self.classifier(self.dropout(x))


def validate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(dim=1) == y).sum().item()
    return correct / len(loader.dataset)


torch.manual_seed(15)
digits = load_digits()
order = torch.randperm(len(digits.images))
images = torch.tensor(digits.images, dtype=torch.float32)[order].unsqueeze(1)
images = (images - images.mean()) / images.std()
labels = torch.tensor(digits.target)[order]
train_loader = DataLoader(TensorDataset(images[:1000], labels[:1000]), batch_size=50, shuffle=True)
val_loader = DataLoader(TensorDataset(images[1000:], labels[1000:]), batch_size=200)

model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
print(f"before training: {validate(model, val_loader):.3f}")

for epoch in range(8):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: {validate(model, val_loader):.3f}")

print(f"validation accuracy {validate(model, val_loader):.3f}")
