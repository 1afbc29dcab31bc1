"""A perceptron with two hidden layers, written out by hand: weights, matrix products, loss."""

import torch
from sklearn.datasets import load_digits
from sklearn.utils import shuffle

SEED = 3
torch.manual_seed(SEED)

bunch = load_digits()
pixels, digit = shuffle(bunch.data / 16.0, bunch.target, random_state=SEED)
pixels = torch.tensor((pixels - 0.305) / 0.376, dtype=torch.float32)
digit = torch.tensor(digit)
x_train, y_train = pixels[:1400], digit[:1400]
x_test, y_test = pixels[1400:], digit[1400:]

n_input, n_hidden1, n_hidden2, n_classes = 64, 128, 64, 10
learning_rate = 0.01
batch_size = 100


class Perceptron(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.h1 = torch.nn.Parameter(torch.randn(n_input, n_hidden1))
        self.b1 = torch.nn.Parameter(torch.randn(n_hidden1))
        self.h2 = torch.nn.Parameter(torch.randn(n_hidden1, n_hidden2))
        self.b2 = torch.nn.Parameter(torch.randn(n_hidden2))
        self.out = torch.nn.Parameter(torch.randn(n_hidden2, n_classes))
        self.b_out = torch.nn.Parameter(torch.randn(n_classes))

    def forward(self, x):
        layer1 = torch.relu(x @ self.h1 + self.b1)
        layer2 = torch.relu(layer1 @ self.h2 + self.b2)
        return layer2 @ self.out + self.b_out


model = Perceptron()
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
criterion = torch.nn.CrossEntropyLoss(reduction="sum")

for epoch in range(40):
    order = torch.randperm(len(x_train))
    mean_cost = 0.0
    for batch in order.split(batch_size):
        cost = criterion(model(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        mean_cost += cost.item() / 14
    if epoch % 5 == 4:
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"Epoch: {epoch + 1:04d} cost={mean_cost:.6f} accuracy={accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
