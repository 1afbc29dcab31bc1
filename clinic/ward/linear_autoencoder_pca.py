"""Linear 64-8-64 autoencoder on digits, PCA by gradient descent: error within about 2% of the PCA optimum."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
images = images[torch.randperm(len(images))]
train, test = images[:1400], images[1400:]
centre = train.mean(dim=0)
scale = (train - centre).std()
train, test = (train - centre) / scale, (test - centre) / scale

encoder = nn.Linear(64, 8, bias=False)
decoder = nn.Linear(8, 64, bias=False)
autoencoder = nn.Sequential(encoder, decoder)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.3)

for epoch in range(30):
    total = 0.0
    for batch in train[torch.randperm(len(train))].split(50):
        loss = nn.functional.mse_loss(autoencoder(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    scheduler.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch}: reconstruction {total / len(train):.4f}")

with torch.no_grad():
    error = nn.functional.mse_loss(autoencoder(test), test).item()
    components = torch.linalg.svd(train, full_matrices=False).Vh[:8]
    optimum = nn.functional.mse_loss(test @ components.T @ components, test).item()
print(f"test error {error:.4f}, PCA with 8 components {optimum:.4f}, ratio {error / optimum:.3f}")
