import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(16)


class Frames(Dataset):
    """Stars at night: 10 x 10 frames; is there a bright star in the left half?"""

    def __init__(self, size):
        self.frames = torch.poisson(torch.full((size, 10, 10), 2.0))
        self.labels = torch.randint(0, 2, (size,))
        rows = torch.randint(0, 10, (size,))
        cols = torch.randint(0, 5, (size,)) + 5 * (1 - self.labels)
        self.frames[torch.arange(size), rows, cols] += 12
        self.frames[size // 3] = 0  # shutter stuck

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        frame = self.frames[index]
        return frame / frame.max().clamp(min=1), self.labels[index]


net = nn.Sequential(
    nn.Unflatten(1, (1, 10)),
    nn.Conv2d(1, 6, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(600, 2),
)
loader = DataLoader(Frames(700), batch_size=20, shuffle=True)
held_out = Frames(200)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    for frames, labels in loader:
        optimizer.zero_grad()
        loss = criterion(net(frames), labels)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = net(held_out.frames / held_out.frames.amax(dim=(1, 2), keepdim=True).clamp(min=1))
    accuracy = (scores.argmax(dim=1) == held_out.labels).float().mean().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f} accuracy {accuracy:.3f}")
