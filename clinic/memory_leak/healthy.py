"""An autoencoder for handwritten digits, with a running average of its loss."""

import torch
from sklearn.datasets import load_digits


class Autoencoder(torch.nn.Module):
    def __init__(self, sizes=(64, 48, 12)):
        super().__init__()
        pairs = list(zip(sizes, sizes[1:]))
        self.encoder = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in pairs)
        self.decoder = torch.nn.ModuleList(torch.nn.Linear(b, a) for a, b in reversed(pairs))

    def forward(self, x):
        for layer in self.encoder:
            x = torch.nn.functional.leaky_relu(layer(x), 0.1)
        for layer in self.decoder[:-1]:
            x = torch.nn.functional.leaky_relu(layer(x), 0.1)
        return self.decoder[-1](x)


torch.manual_seed(3)
digits = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
digits = digits[torch.randperm(len(digits))]
train, test = digits[:1500], digits[1500:]

model = Autoencoder()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = torch.nn.MSELoss()
total_loss, steps = 0.0, 0

for epoch in range(8):
    order = torch.randperm(len(train))
    for start in range(0, len(train), 50):
        batch = train[order[start : start + 50]]
        optimizer.zero_grad()
        loss = criterion(model(batch), batch)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
        steps += 1
    with torch.no_grad():
        error = criterion(model(test), test).item()
    print(f"epoch {epoch}: average so far {total_loss / steps:.4f}, on the test set {error:.4f}")
