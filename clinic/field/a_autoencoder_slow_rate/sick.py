"""Compress digits to six numbers and restore them."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader

SEED = 3
torch.manual_seed(SEED)

pixels = torch.tensor(load_digits().data, dtype=torch.float32)
pixels = pixels[torch.randperm(len(pixels))]
train, test = pixels[:1400], pixels[1400:]
mean, std = train.mean(), train.std()
train, test = (train - mean) / std, (test - mean) / std


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 6))
        self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))

    def forward(self, x):
        return self.decoder(self.encoder(x))


autoencoder = Autoencoder()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-5)
loader = DataLoader(train, batch_size=32, shuffle=True)

for epoch in range(25):
    autoencoder.train()
    for x in loader:
        optimizer.zero_grad()
        loss = criterion(autoencoder(x), x)
        loss.backward()
        optimizer.step()
    autoencoder.eval()
    with torch.no_grad():
        held_out = criterion(autoencoder(test), test).item()
    if (epoch + 1) % 5 == 0:
        print(f"[{epoch + 1}/25] loss: {loss.item():.4f}  held out: {held_out:.4f}")

print(f"test mse {held_out:.4f}")
