import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 1
torch.manual_seed(SEED)

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
x = nn.functional.interpolate(x, size=16, mode="bilinear")
x = (x - x.mean()) / x.std()
dataset = TensorDataset(x, torch.tensor(digits.target))
train_set, test_set = random_split(dataset, [1397, 400])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=200)


def conv_block(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(cout, momentum=0.001),
        nn.ReLU(),
    )


net = nn.Sequential(
    conv_block(1, 16),
    conv_block(16, 32),
    conv_block(32, 48),
    nn.Flatten(),
    nn.Linear(48 * 4, 10),
)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def test():
    net.eval()
    right = 0
    with torch.no_grad():
        for images, labels in test_loader:
            right += (net(images).argmax(1) == labels).sum().item()
    return right / len(test_set)


for epoch in range(8):
    net.train()
    right = seen = 0
    for images, labels in train_loader:
        outputs = net(images)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (outputs.argmax(1) == labels).sum().item()
        seen += len(labels)
    print("epoch %d: train %.3f, test %.3f" % (epoch + 1, right / seen, test()))

print("test accuracy %.3f" % test())
