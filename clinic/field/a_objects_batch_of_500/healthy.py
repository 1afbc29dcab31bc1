"""Ten kinds of objects on coloured backgrounds, a CNN with He initialisation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 3
BATCH = 64
EPOCHS = 14
torch.manual_seed(SEED)

# shapes of 8 x 8 in a random colour on a background of another, 16 x 16 pixels, 0 to 255
digits = load_digits()
shapes = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
shapes = F.interpolate(shapes, size=12, mode="bilinear", align_corners=False)
count = len(shapes)
canvas = torch.zeros(count, 1, 16, 16)
for i, (dy, dx) in enumerate(torch.randint(1, 4, (count, 2)).tolist()):
    canvas[i, :, dy : dy + 12, dx : dx + 12] = shapes[i]
ground = torch.randint(0, 90, (count, 3, 1, 1)).float()
colour = torch.randint(180, 256, (count, 3, 1, 1)).float()
pictures = (ground + (colour - ground) * canvas + 8 * torch.randn(count, 3, 16, 16)).clamp(0, 255)
kinds = torch.tensor(digits.target)
pictures = (pictures / 255 - 0.4) / 0.3
order = torch.randperm(count)
pictures, kinds = pictures[order], kinds[order]
train_x, train_y, test_x, test_y = pictures[:1400], kinds[:1400], pictures[1400:], kinds[1400:]


class ObjectNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc = nn.Linear(24 * 4 * 4, 64)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(64, 10)
        for layer in (self.conv1, self.conv2, self.fc):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc(x.flatten(1)))
        return self.out(self.dropout(x))


net = ObjectNet()
optimizer = torch.optim.Adam(net.parameters())


def accuracy():
    net.eval()
    with torch.no_grad():
        return (net(test_x).argmax(1) == test_y).float().mean().item()


for epoch in range(EPOCHS):
    net.train()
    losses = []
    for idx in torch.randperm(len(train_x)).split(BATCH):
        loss = F.cross_entropy(net(train_x[idx]), train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(
        "epoch",
        epoch + 1,
        "loss",
        round(sum(losses) / len(losses), 4),
        "accuracy",
        round(accuracy(), 3),
    )

print(f"test accuracy {accuracy():.3f}")
