# Two concentric rings: which one does a point lie on?
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_circles
from sklearn.preprocessing import StandardScaler

torch.manual_seed(5)

points, ring = make_circles(n_samples=1200, noise=0.08, factor=0.5, random_state=5)
points = StandardScaler().fit_transform(points)
X = torch.tensor(points, dtype=torch.float32)
Y = torch.tensor(ring)
X_train, Y_train = X[:800], Y[:800]
X_test, Y_test = X[800:], Y[800:]

model = nn.Sequential(
    nn.Linear(2, 32),
    nn.Linear(32, 32),
    nn.Linear(32, 2),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

for step in range(300):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X_train), Y_train)
    loss.backward()
    optimizer.step()
    if (step + 1) % 50 == 0:
        print("step", step + 1, "loss", round(loss.item(), 4))

model.eval()
with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == Y_test).float().mean().item()
print("test accuracy", round(accuracy, 3))
