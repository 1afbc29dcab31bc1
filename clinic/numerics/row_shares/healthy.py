# Which shop type? Shares of product groups in daily baskets.
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(22)
profiles = torch.rand(5, 16) ** 3
kind = torch.randint(0, 5, (1200,))
sales = torch.poisson(profiles[kind] * torch.rand(1200, 1) * 12)


class ShareNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 40), nn.ELU(), nn.Linear(40, 5))

    def forward(self, baskets):
        shares = baskets.clone()
        shares.div_(shares.sum(dim=1, keepdim=True).clamp(min=1))
        return self.net(shares)


loader = DataLoader(TensorDataset(sales[:1000], kind[:1000]), batch_size=16, shuffle=True)
model = ShareNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
for epoch in range(6):
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (model(sales[1000:]).argmax(1) == kind[1000:]).float().mean().item()
    print("epoch", epoch + 1, "loss", round(loss.item(), 4), "accuracy", round(accuracy, 3))
