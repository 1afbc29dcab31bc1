"""Heart disease from nine risk factors: softmax regression with an L2 penalty."""

import numpy as np
import torch

SEED = 3
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

n = 900
age = rng.uniform(18, 64, n)
tobacco = rng.gamma(1.0, 3.6, n)
ldl = rng.normal(4.7, 1.6, n).clip(1)
adiposity = rng.normal(25, 7.5, n)
family = (rng.random(n) < 0.42).astype(float)
type_a = rng.normal(53, 9.8, n)
obesity = rng.normal(26, 4.2, n)
alcohol = rng.gamma(0.5, 34, n)
pressure = rng.normal(138, 20, n)
risk = (
    1.3 * (age - 41) / 13
    + 0.9 * (tobacco - 3.6) / 3.6
    + 0.8 * (ldl - 4.7) / 1.6
    + 0.9 * (family - 0.42) / 0.5
    + 0.6 * (type_a - 53) / 9.8
)
heart = (risk + rng.logistic(0, 0.5, n) > 0.3).astype(int)

features = np.stack(
    [pressure, tobacco, ldl, adiposity, family, type_a, obesity, alcohol, age], axis=1
)
x = torch.tensor(features, dtype=torch.float32)
y = torch.eye(2)[torch.tensor(heart)]
x = (x - x[:650].mean(dim=0)) / x[:650].std(dim=0)
x_train, y_train, x_test, y_test = x[:650], y[:650], x[650:], y[650:]

learning_rate = 0.05
beta = 0.001

model = torch.nn.Linear(9, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)


def accuracy(inputs, targets):
    with torch.no_grad():
        return (model(inputs).argmax(1) == targets.argmax(1)).float().mean().item()


for epoch in range(60):
    order = torch.randperm(len(x_train))
    for batch in order.split(50):
        logits = model(x_train[batch])
        cross_entropy = -(y_train[batch] * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
        loss = cross_entropy + beta * 0.5 * model.weight.pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(
            "epoch %d: loss %.4f, train %.3f, test %.3f"
            % (epoch + 1, loss.item(), accuracy(x_train, y_train), accuracy(x_test, y_test))
        )

print("test accuracy %.3f" % accuracy(x_test, y_test))
