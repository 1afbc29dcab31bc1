# First neural network: onset of diabetes from 8 measurements
import torch
from torch import nn
import numpy

SEED = 4
torch.manual_seed(SEED)
rng = numpy.random.RandomState(SEED)

# columns: pregnancies, glucose, blood pressure, skin thickness, insulin, bmi, pedigree, age
n = 2400
pregnancies = rng.poisson(3.8, n)
glucose = rng.normal(121, 30, n)
pressure = rng.normal(72, 12, n)
skin = rng.normal(29, 9, n)
insulin = rng.gamma(2.0, 70.0, n)
bmi = rng.normal(32, 7, n)
pedigree = rng.gamma(2.2, 0.21, n)
age = 21 + rng.gamma(1.2, 10.0, n)
dataset = numpy.stack([pregnancies, glucose, pressure, skin, insulin, bmi, pedigree, age], axis=1)
g, b, p, s = (glucose - 121) / 30, (bmi - 32) / 7, (pressure - 72) / 12, (skin - 29) / 9
risk = numpy.sin(2.2 * g) * numpy.sign(b) + 0.8 * numpy.cos(2.0 * p) * s + 0.4 * g
outcome = (risk + 0.1 * rng.randn(n) > 0.15).astype(int)

X = torch.tensor(dataset, dtype=torch.float32)
Y = torch.tensor(outcome, dtype=torch.float32).reshape(-1, 1)
X_train, Y_train = X[:1800], Y[:1800]
X_test, Y_test = X[1800:], Y[1800:]

# create model
model = nn.Sequential()
model.add_module("dense1", nn.Linear(8, 12))
model.add_module("relu1", nn.ReLU())
model.add_module("dense2", nn.Linear(12, 8))
model.add_module("relu2", nn.ReLU())
model.add_module("dense3", nn.Linear(8, 1))
model.add_module("sigmoid", nn.Sigmoid())

loss_fn = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(X_train, Y_train), batch_size=32, shuffle=True)

# fit the model
for epoch in range(25):
    correct = 0
    for inputs, labels in loader:
        outputs = model(inputs)
        loss = loss_fn(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        correct += ((outputs > 0.5) == (labels > 0.5)).sum().item()
    if (epoch + 1) % 5 == 0:
        with torch.no_grad():
            val_loss = loss_fn(model(X_test), Y_test)
        print("Epoch", epoch + 1, "acc: %.3f" % (correct / len(X_train)), "val_loss: %.3f" % val_loss.item())

# evaluate the model
with torch.no_grad():
    predictions = model(X_test).round()
print("test accuracy %.4f" % (predictions == Y_test).float().mean().item())
