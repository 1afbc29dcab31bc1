"""Image regression with float16 autocast and gradient scaling."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(6)
images = torch.tensor(load_digits().images, dtype=torch.float32) / 4
ink = images.mean(dim=(1, 2)) * 4


class InkNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 1)

    def forward(self, x):
        h = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(h).squeeze(1)


model = InkNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cpu")

for step in range(300):
    rows = torch.randint(0, 1500, (32,))
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        prediction = model(images[rows])
        loss = nn.functional.mse_loss(prediction.float(), ink[rows])
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 60 == 59:
        with torch.no_grad():
            test = nn.functional.l1_loss(model(images[1500:]), ink[1500:]).item()
        print(f"step {step + 1}: loss {loss.item():.4f} test mae {test:.4f}")
