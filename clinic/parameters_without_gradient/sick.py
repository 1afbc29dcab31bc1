# Denoising: a convolutional encoder and a dense decoder learn to clean up noisy digits.
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(4)
images = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 8 - 1
images = images[torch.randperm(len(images))]
train, test = images[:1400], images[1400:]
test_noisy = test + 0.5 * torch.randn_like(test)

encoder = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2, padding=1),
    nn.GELU(),
    nn.Conv2d(8, 6, 3, stride=2, padding=1),
    nn.GELU(),
    nn.Flatten(),
)
decoder = nn.Sequential(nn.Linear(24, 64), nn.GELU(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8)))

optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
criterion = nn.MSELoss()

for epoch in range(1, 11):
    encoder.train(), decoder.train()
    for clean in train[torch.randperm(len(train))].split(35):
        noisy = clean + 0.5 * torch.randn_like(clean)
        code = encoder(noisy).detach()
        loss = criterion(decoder(code), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    encoder.eval(), decoder.eval()
    with torch.no_grad():
        error = criterion(decoder(encoder(test_noisy)), test).item()
    print(f"epoch {epoch}: test error {error:.4f}")
