import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(5)
images, digits = load_digits(return_X_y=True)
images = (images - images.mean()) / images.std()
data = TensorDataset(
    torch.from_numpy(images.astype(np.float32)).reshape(-1, 1, 8, 8), torch.from_numpy(digits)
)
train_set, test_set = random_split(data, [1397, 400])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=400)

net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.Tanh(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.Tanh(),
    nn.Flatten(),
    nn.Linear(256, 10),
)
cross_entropy = nn.CrossEntropyLoss()
sgd = torch.optim.SGD(net.parameters(), lr=0.04, momentum=0.9)

for epoch in range(14):
    losses = []
    for image, digit in train_loader:
        sgd.zero_grad()
        loss = cross_entropy(net(image), digit)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    with torch.no_grad():
        image, digit = next(iter(test_loader))
        output = net(image)
        test_loss = cross_entropy(output, digit).item()
        accuracy = (output.argmax(1) == digit).float().mean().item()
    print(f"epoch {epoch} train {np.mean(losses):.3f} test {test_loss:.3f} acc {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
