"""Find the marked tiles: patches are contrast-normalised inside of the network."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(14)


class Tiles(Dataset):
    def __init__(self, size, seed):
        g = torch.Generator().manual_seed(seed)
        self.label = (torch.rand(size, generator=g) < 0.5).long()
        self.image = torch.rand(size, 1, 12, 12, generator=g) * 0.5
        for k in range(size):
            if self.label[k]:
                self.image[k, 0, 3:9, 5:7] += 0.6
        self.image[7::150] = 0.25  # the lid was closed

    def __len__(self):
        return len(self.label)

    def __getitem__(self, k):
        return self.image[k], self.label[k]


class ContrastNorm(nn.Module):
    def forward(self, x):
        centred = x - x.mean(dim=(2, 3), keepdim=True)
        variance = centred.pow(2).mean(dim=(2, 3), keepdim=True)
        return centred / (variance + 1e-5).sqrt()


model = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2, bias=False),
    ContrastNorm(),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 25, 2),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(Tiles(900, 1), batch_size=30, shuffle=True)
test = Tiles(300, 2)
for epoch in range(4):
    running = 0.0
    for image, label in loader:
        loss = nn.functional.cross_entropy(model(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    with torch.no_grad():
        accuracy = (model(test.image).argmax(1) == test.label).float().mean().item()
    print(f"epoch {epoch + 1} loss {running / len(loader):.3f} accuracy {accuracy:.3f}")
