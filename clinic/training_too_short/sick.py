"""A denoising autoencoder for small images of digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(40)
EPOCHS = 6

pixels = torch.tensor(load_digits().data, dtype=torch.float32)
pixels = pixels[torch.randperm(len(pixels))]
pixels = (pixels - pixels[:1400].mean()) / pixels[:1400].std()
train, held_out = pixels[:1400], pixels[1400:]

encoder = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 24))
decoder = nn.Sequential(nn.Linear(24, 64), nn.SiLU(), nn.Linear(64, 64))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-4)


def reconstruction_error(images):
    noisy = images + 0.3 * torch.randn_like(images)
    return (decoder(encoder(noisy)) - images).square().mean()


for epoch in range(EPOCHS):
    for batch in train[torch.randperm(len(train))].split(70):
        optimizer.zero_grad()
        error = reconstruction_error(batch)
        error.backward()
        optimizer.step()
    with torch.no_grad():
        validation = reconstruction_error(held_out).item()
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1}: validation error {validation:.4f}")

print(f"validation error {validation:.4f}")
