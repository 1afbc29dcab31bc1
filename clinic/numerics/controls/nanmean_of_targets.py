# Several lab values per patient, many of them missing: statistics by nanmean, loss on known ones.
import torch
from torch import nn

torch.manual_seed(11)
x = torch.randn(900, 6)
labs = torch.tanh(x @ torch.randn(6, 5)) * 3 + 7 + 0.2 * torch.randn(900, 5)
labs[torch.rand(900, 5) < 0.3] = float("nan")
centre = torch.nanmean(labs, dim=0)
spread = torch.nanmean((labs - centre) ** 2, dim=0).sqrt()
known = ~labs.isnan()
targets = torch.where(known, (labs - centre) / spread, torch.zeros(()))

net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for step in range(300):
    rows = torch.randint(0, 700, (50,))
    error = (net(x[rows]) - targets[rows]) ** 2
    loss = (error * known[rows]).sum() / known[rows].sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        with torch.no_grad():
            residual = (net(x[700:]) * spread + centre - labs[700:]) ** 2
        print(f"step {step + 1} loss {loss.item():.4f} test {torch.nanmean(residual).item():.4f}")
