# Cross-entropy first, then also a pull towards running class centres.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(18)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)


class CentreNet(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, dim))
        self.classify = nn.Linear(dim, 10)
        self.register_buffer("centres", torch.zeros(10, dim))

    def forward(self, inputs):
        z = self.embed(inputs)
        return z, self.classify(z)

    @torch.no_grad()
    def update_centres(self, z, labels):
        members = F.one_hot(labels, 10).float()
        means = members.T @ z / members.sum(dim=0).unsqueeze(1).clamp(min=1)
        present = (members.sum(dim=0) > 0).unsqueeze(1)
        self.centres.copy_(torch.where(present, self.centres.lerp(means, 0.1), self.centres))


loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=50, shuffle=True)
model = CentreNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(8):
    for inputs, labels in loader:
        z, logits = model(inputs)
        loss = F.cross_entropy(logits, labels)
        if epoch >= 3:
            loss = loss + 0.05 * (z - model.centres[labels]).pow(2).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_centres(z, labels)
    with torch.no_grad():
        right = (model(x[1400:])[1].argmax(dim=1) == y[1400:]).float().mean().item()
    print(f"epoch {epoch + 1} loss {loss.item():.3f} test accuracy {right:.3f}")
