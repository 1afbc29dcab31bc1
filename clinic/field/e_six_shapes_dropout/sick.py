import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

SEED = 12
torch.manual_seed(SEED)

# pictures of six classes
images, target = load_digits(n_class=6, return_X_y=True)
images = torch.tensor(images.reshape(-1, 1, 8, 8), dtype=torch.float32)
target = torch.tensor(target)
shuffled = torch.randperm(len(images))
images, target = images[shuffled], target[shuffled]
n_train = 800
images = (images - images[:n_train].mean()) / images[:n_train].std()
images = images + 0.3 * torch.randn_like(images)

train_dl = DataLoader(TensorDataset(images[:n_train], target[:n_train]), batch_size=64, shuffle=True)
test_dl = DataLoader(TensorDataset(images[n_train:], target[n_train:]), batch_size=64)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.drop1 = nn.Dropout(0.7)
        self.drop2 = nn.Dropout(0.5)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.drop3 = nn.Dropout(0.7)
        self.drop4 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 2 * 2, 16)
        self.fc2 = nn.Linear(16, 6)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.drop1(torch.relu(self.bn1(self.conv1(x))))
        x = self.drop2(self.pool(x))
        x = self.drop3(torch.relu(self.conv2(x)))
        x = self.drop4(self.pool(x))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


model = ConvNet()
opt = optim.SGD(model.parameters(), lr=0.05)
loss_func = nn.CrossEntropyLoss()

for epoch in range(50):
    model.train()
    for xb, yb in train_dl:
        loss = loss_func(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
    model.eval()
    with torch.no_grad():
        val = sum(loss_func(model(xb), yb).item() * len(xb) for xb, yb in test_dl) / len(test_dl.dataset)
    if epoch % 10 == 9:
        print(epoch + 1, round(loss.item(), 3), round(val, 3))

model.eval()
with torch.no_grad():
    hits = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in test_dl)
print("test accuracy", round(hits / len(test_dl.dataset), 3))
