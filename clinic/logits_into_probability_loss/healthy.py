import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(21)

digits = load_digits()
pixels = torch.tensor((digits.data / 8.0 - 1.0).astype(np.float32))
dataset = TensorDataset(pixels, torch.tensor(digits.target))
train_set, test_set = random_split(dataset, [1400, 397])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=100)


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.out = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return F.log_softmax(self.out(x), dim=1)


net = DigitNet()
criterion = nn.NLLLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for epoch in range(8):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()

    net.eval()
    val_loss, hits = 0.0, 0
    with torch.no_grad():
        for x, y in test_loader:
            output = net(x)
            val_loss += criterion(output, y).item() * len(y)
            hits += (output.argmax(dim=1) == y).sum().item()
    print(f"epoch {epoch + 1}: test loss {val_loss / len(test_set):.4g}")

print(f"test accuracy {hits / len(test_set):.3f}")
