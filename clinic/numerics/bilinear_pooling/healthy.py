"""Fine-grained digits: bilinear pooling with signed square roots."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(13)
data = load_digits()
x = torch.from_numpy(data.images).float().unsqueeze(1) / 16
y = torch.from_numpy(data.target)


class BilinearNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 12, 3)
        self.classifier = nn.Linear(144, 10)

    def forward(self, image):
        f = F.relu(self.conv2(F.relu(self.conv1(image)))).flatten(2)
        gram = (f @ f.transpose(1, 2) / f.shape[2]).flatten(1)
        gram = gram.sign() * (gram.abs() + 1e-6).sqrt()
        return self.classifier(F.normalize(gram))


model = BilinearNet()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
step = 0
for epoch in range(6):
    for batch in torch.randperm(1500).split(50):
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 30 == 0:
            acc = (model(x[1500:]).argmax(dim=1) == y[1500:]).float().mean().item()
            print(f"[{step}] loss={loss.item():.4f} test_acc={acc:.4f}")
