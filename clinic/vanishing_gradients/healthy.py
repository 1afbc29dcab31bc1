import torch
from sklearn.datasets import make_moons
from torch import nn


class DeepClassifier(nn.Module):
    """A plain stack of equal layers."""

    def __init__(self, in_features=2, width=32, depth=10, num_classes=2):
        super().__init__()
        sizes = [in_features] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.activation = nn.ReLU()
        self.classifier = nn.Linear(width, num_classes)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.classifier(x)


def accuracy(model, points, labels):
    model.eval()
    with torch.no_grad():
        predictions = model(points).argmax(dim=1)
    model.train()
    return (predictions == labels).float().mean().item()


torch.manual_seed(9)
points, labels = make_moons(n_samples=1500, noise=0.15, random_state=9)
points = torch.tensor(points, dtype=torch.float32)
points = (points - points.mean(dim=0)) / points.std(dim=0)
labels = torch.tensor(labels)
train_points, test_points = points.split([1000, 500])
train_labels, test_labels = labels.split([1000, 500])

model = DeepClassifier()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

for step in range(400):
    chosen = torch.randint(0, 1000, (50,))
    loss = loss_function(model(train_points[chosen]), train_labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        reached = accuracy(model, test_points, test_labels)
        print(f"step {step + 1}: loss {loss.item():.3f}, test accuracy {reached:.3f}")

print(f"final test accuracy {accuracy(model, test_points, test_labels):.3f}")
