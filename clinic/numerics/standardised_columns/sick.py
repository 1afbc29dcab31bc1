# House prices by a linear model with interactions.
import torch

torch.manual_seed(9)
n = 800
rooms = torch.randint(1, 7, (n,)).float()
area = rooms * 18 + 20 * torch.rand(n)
age = torch.randint(0, 90, (n,)).float()
has_lift = torch.zeros(n)  # no lift in any of these houses
distance = 12 * torch.rand(n)
price = 2.1 * area - 0.6 * age - 4 * distance + 8 * torch.randn(n)

X = torch.stack([rooms, area, age, has_lift, distance], dim=1)
X = torch.cat([X, X[:, :1] * X[:, 4:]], dim=1)
X = (X - X.mean(dim=0)) / X.std(dim=0)
y = (price - price.mean()) / price.std()

weight = torch.zeros(6, 1, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([weight, bias], lr=0.05)
for epoch in range(60):
    prediction = (X[:600] @ weight + bias).squeeze(1)
    loss = (prediction - y[:600]).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 15 == 14:
        with torch.no_grad():
            test = ((X[600:] @ weight + bias).squeeze(1) - y[600:]).pow(2).mean()
        print(f"epoch {epoch + 1}: train {loss.item():.4f} test {test.item():.4f}")
