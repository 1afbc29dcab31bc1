"""House prices, in the manner of a noisy market: a linear trend, a bend and a lot of chance."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 1


def sell(count, generator):
    house = torch.randn(count, 8, generator=generator)
    value = house @ torch.tensor([0.5, -0.3, 0.2, 0.4, 0.0, -0.2, 0.1, 0.3])
    value = value + 0.5 * torch.sin(2 * house[:, 0]) * house[:, 1]
    return TensorDataset(house, (value + torch.randn(count, generator=generator))[:, None])


generator = torch.Generator().manual_seed(18)
torch.manual_seed(18)
sold, later = sell(1500, generator), sell(600, generator)
loader = DataLoader(sold, batch_size=BATCH_SIZE, shuffle=True)

model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03)

for epoch in range(3):
    for houses, prices in loader:
        optimizer.zero_grad()
        criterion(model(houses), prices).backward()
        optimizer.step()
    with torch.no_grad():
        error = criterion(model(later.tensors[0]), later.tensors[1]).item()
    print(f"epoch {epoch + 1}: mse on later sales {error:.3f}")

print(f"R2 on later sales {1 - error / later.tensors[1].var().item():.3f}")
