# Ratings with unrated entries: the error of an unrated entry is infinite and never selected.
import torch
from torch import nn

torch.manual_seed(2)
users, films = 60, 40
truth = torch.randn(users, 4) @ torch.randn(4, films) / 2
rated = torch.rand(users, films) < 0.4
ratings = torch.where(rated, truth, torch.tensor(float("inf")))

left = nn.Parameter(0.3 * torch.randn(users, 6))
right = nn.Parameter(0.3 * torch.randn(6, films))
optimizer = torch.optim.AdamW([left, right], lr=0.03, weight_decay=0.01)
for step in range(250):
    error = (left @ right - ratings).abs()
    loss = error[rated].pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        with torch.no_grad():
            hidden = (left @ right - truth)[~rated].pow(2).mean().item()
        print(f"step {step + 1}: loss {loss.item():.4f}, hidden entries {hidden:.4f}")
