# softmax regression on handwritten digits, everything by hand
import numpy as np
import torch
from sklearn.datasets import load_digits

SEED = 6
torch.manual_seed(SEED)
np.random.seed(SEED)

raw = load_digits()
pixels = np.kron(raw.images / 16.0, np.ones((4, 4))).reshape(-1, 1024)    # 32x32 pictures
labels = np.eye(10)[raw.target]
shuffle = np.random.permutation(len(pixels))
pixels = torch.from_numpy(pixels[shuffle]).float()
labels = torch.from_numpy(labels[shuffle]).float()
train_images, train_labels = pixels[:1400], labels[:1400]
test_images, test_labels = pixels[1400:], labels[1400:]

W = torch.zeros(1024, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)


def next_batch(size):
    pick = torch.randint(0, len(train_images), (size,))
    return train_images[pick], train_labels[pick]


def model(x):
    return torch.softmax(torch.matmul(x, W) + b, dim=1)


def accuracy():
    with torch.no_grad():
        correct = torch.eq(model(test_images).argmax(1), test_labels.argmax(1))
    return correct.float().mean().item()


train_step = torch.optim.SGD([W, b], lr=0.01)

for i in range(1000):
    batch_xs, batch_ys = next_batch(100)
    y = model(batch_xs)
    cross_entropy = -torch.sum(batch_ys * torch.log(y))
    train_step.zero_grad()
    cross_entropy.backward()
    train_step.step()
    if i % 100 == 0:
        print("step %d, loss %g, accuracy %g" % (i, cross_entropy.item(), accuracy()))

print("test accuracy %.4f" % accuracy())
