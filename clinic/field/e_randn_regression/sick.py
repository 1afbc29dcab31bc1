# softmax regression on digits, everything by hand
import numpy as np
import torch
from sklearn.datasets import load_digits

SEED = 17
np.random.seed(SEED)
torch.manual_seed(SEED)

digits = load_digits()
order = np.random.permutation(len(digits.target))
pixels = digits.data[order].astype(np.float32) / 16.0
onehot = np.eye(10, dtype=np.float32)[digits.target[order]]
train_x, train_y = torch.from_numpy(pixels[:1300]), torch.from_numpy(onehot[:1300])
test_x, test_y = torch.from_numpy(pixels[1300:]), torch.from_numpy(onehot[1300:])
center = train_x.mean(0)
train_x, test_x = train_x - center, test_x - center

W = torch.tensor(np.random.randn(64, 10), dtype=torch.float32, requires_grad=True)
b = torch.tensor(np.random.randn(10), dtype=torch.float32, requires_grad=True)
optimizer = torch.optim.SGD([W, b], lr=0.001)


def predict(x):
    return torch.softmax(x @ W + b, dim=1)


batch_size = 100
for epoch in range(60):
    shuffled = torch.randperm(len(train_x))
    total_cost = 0.0
    for i in range(0, len(train_x), batch_size):
        rows = shuffled[i:i + batch_size]
        cost = -(train_y[rows] * torch.log(predict(train_x[rows]))).sum(dim=1).mean()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        total_cost += cost.item()
    if (epoch + 1) % 10 == 0:
        print("Epoch:", "%02d" % (epoch + 1), "cost = {:.5f}".format(total_cost / (len(train_x) // batch_size)))

with torch.no_grad():
    correct = predict(test_x).argmax(1) == test_y.argmax(1)
print("test accuracy {:.3f}".format(correct.float().mean().item()))
