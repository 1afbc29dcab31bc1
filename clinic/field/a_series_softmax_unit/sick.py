"""Will the series go up? Ten days of four indicators, one answer."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 3
torch.manual_seed(SEED)


def make_series(n):
    trend = 0.25 * torch.randn(n, 1)
    steps = torch.randn(n, 4, 10) * 0.6 + trend.unsqueeze(2)
    series = steps.cumsum(dim=2)
    up = (trend.squeeze(1) + 0.05 > 0).float()
    return series, up


series, up = make_series(1200)
data = TensorDataset(series, up)
train_data, test_data = random_split(
    data, [960, 240], generator=torch.Generator().manual_seed(SEED)
)
mean = series[train_data.indices].mean(dim=(0, 2), keepdim=True)
std = series[train_data.indices].std(dim=(0, 2), keepdim=True)
series.sub_(mean).div_(std)

train_loader = DataLoader(train_data, batch_size=128, shuffle=True)
test_loader = DataLoader(test_data, batch_size=240)

model = nn.Sequential(
    nn.Conv1d(4, 16, 3, padding=1, bias=False),
    nn.BatchNorm1d(16),
    nn.LeakyReLU(),
    nn.Dropout(0.2),
    nn.Conv1d(16, 32, 3, padding=1, bias=False),
    nn.BatchNorm1d(32),
    nn.LeakyReLU(),
    nn.Dropout(0.2),
    nn.Flatten(),
    nn.Linear(320, 64, bias=False),
    nn.BatchNorm1d(64),
    nn.LeakyReLU(),
    nn.Linear(64, 1),
    nn.Softmax(dim=1),
)
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(25):
    model.train()
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(inputs).squeeze(1)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()

    model.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in test_loader:
            correct += ((model(inputs).squeeze(1) > 0.5).float() == labels).sum().item()
    accuracy = correct / len(test_data)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
