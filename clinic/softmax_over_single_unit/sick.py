# Two moons, split by a small network trained on the whole set at once.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_moons

torch.manual_seed(0)
points, side = make_moons(n_samples=600, noise=0.15, random_state=0)
points = torch.as_tensor(points, dtype=torch.float32)
points = (points - points.mean(0)) / points.std(0)
side = torch.as_tensor(side, dtype=torch.float32).reshape(-1, 1)
train_x, test_x = points[:400], points[400:]
train_y, test_y = side[:400], side[400:]


class Moons(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()
        )
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return torch.softmax(self.head(self.body(x)), dim=1)


model = Moons()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for iteration in range(301):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy(model(train_x), train_y)
    loss.backward()
    optimizer.step()
    if iteration % 100 == 0:
        with torch.no_grad():
            test_loss = F.binary_cross_entropy(model(test_x), test_y)
        print(f"iteration {iteration}: train {loss:.3f} test {test_loss:.3f}")

with torch.no_grad():
    right = ((model(test_x) > 0.5).float() == test_y).float().mean()
print(f"test accuracy {right:.3f}")
