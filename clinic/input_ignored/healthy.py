import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Images as bytes, as they come from disk."""

    def __init__(self, images, labels):
        self.images = torch.tensor(images * 15.9).to(torch.uint8)
        self.labels = torch.tensor(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index] / 255
        return image.float() - 0.3, self.labels[index]


torch.manual_seed(12)
data = load_digits()
order = torch.randperm(len(data.images)).numpy()
images, labels = data.images[order], data.target[order]
train = DataLoader(Digits(images[:1400], labels[:1400]), batch_size=70, shuffle=True)
test = DataLoader(Digits(images[1400:], labels[1400:]), batch_size=200)

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    for x, y in train:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        losses = [F.cross_entropy(model(x), y).item() for x, y in test]
    print(f"epoch {epoch}: test loss {sum(losses) / len(losses):.3f}")

with torch.no_grad():
    right = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in test)
print(f"test accuracy {right / len(test.dataset):.3f}")
