import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 5
torch.manual_seed(SEED)

N_TRAIN, N_TEST, D = 320, 160, 12


def scans(n):
    """Noisy scans; label 1 where there is a bright nodule somewhere inside."""
    v = torch.randn(n, 1, D, D, D)
    y = (torch.rand(n) < 0.5).float()
    for i in range(n):
        a, b, c = torch.randint(1, D - 5, (3,)).tolist()
        if y[i]:
            v[i, 0, a:a + 4, b:b + 4, c:c + 4] += 1.5
    return (v - v.mean()) / v.std(), y


def block(cin, cout):
    return nn.Sequential(
        nn.Conv3d(cin, cout, 3, padding=1, bias=False),
        nn.BatchNorm3d(cout),
        nn.ReLU(),
        nn.MaxPool3d(2, ceil_mode=True),
    )


class Scan3D(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.features = nn.Sequential(block(1, w), block(w, 2 * w), block(2 * w, 2 * w), block(2 * w, 2 * w))
        self.fc1 = nn.Linear(2 * w, 32)
        self.fc2 = nn.Linear(32, 32)
        self.fc3 = nn.Linear(32, 1)

    def forward(self, x):
        x = self.features(x).flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.softmax(self.fc3(x), dim=1)


def accuracy(model, v, y):
    model.eval()
    with torch.no_grad():
        p = model(v).squeeze(1)
    return ((p > 0.5).float() == y).float().mean().item()


train_v, train_y = scans(N_TRAIN)
test_v, test_y = scans(N_TEST)

model = Scan3D()
criterion = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, weight_decay=0.005)

for epoch in range(6):
    model.train()
    order = torch.randperm(N_TRAIN)
    for idx in order.split(16):
        pred = model(train_v[idx]).squeeze(1)
        loss = criterion(pred, train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"[{epoch}] last batch loss {loss.item():.4f} | val accuracy {accuracy(model, test_v, test_y):.3f}")

print(f"test accuracy {accuracy(model, test_v, test_y):.3f}")
