# Wind power from weather; the station writes a code when the anemometer is frozen.
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(29)
n = 1200
wind = 8 + 3 * torch.randn(n)
pressure = 1000 + 10 * torch.randn(n)
power = (wind.clamp(0, 14) / 14) ** 3 * pressure / 1000 + 0.03 * torch.randn(n)
frozen = torch.rand(n) < 0.004
wind[frozen] = -9.999e20


class PowerNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 24)
        self.fc2 = nn.Linear(24, 1)

    def forward(self, wind, pressure):
        wind = wind / 10
        features = torch.stack([wind, wind**2, (pressure - 1000) / 10], dim=1)
        return self.fc2(torch.tanh(self.fc1(features))).squeeze(1)


loader = DataLoader(TensorDataset(wind, pressure, power), batch_size=15, shuffle=True)
model = PowerNet()
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
for epoch in range(5):
    total = 0.0
    for w, p, target in loader:
        loss = nn.functional.mse_loss(model(w, p), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1}: loss {total / len(loader):.5f}")
