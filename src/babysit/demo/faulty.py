import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels))
train, test = order[:1300], order[1300:]


def block(num_in, num_out):
    convolution = nn.Conv2d(num_in, num_out, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(num_out), nn.ReLU(), nn.MaxPool2d(2))


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(1, 16), block(16, 32), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(128, 10))

    def forward(self, x):
        return self.head(self.features(x)).softmax(dim=1)


def accuracy(model):
    model.eval()
    with torch.no_grad():
        right = model(images[test]).argmax(dim=1) == labels[test]
    return right.float().mean().item()


model = DigitNet()
optimizer = torch.optim.SGD(model.head.parameters(), lr=0.05, momentum=0.9)

for epoch in range(1, 6):
    for batch in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        loss = cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.2f}, test accuracy {accuracy(model):.3f}")
