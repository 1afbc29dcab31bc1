# Discrete-time survival: a network gives the hazard of each of 260 weeks.
import torch
from torch import nn

torch.manual_seed(8)
WEEKS = 260
patients = torch.randn(800, 5)
risk = patients @ torch.tensor([0.8, -0.5, 0.3, 0.0, 0.6])
event_week = (150 * torch.exp(-risk) * torch.rand(800).clamp_min(0.02)).long().clamp(1, WEEKS - 1)

model = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, WEEKS))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def negative_log_likelihood(x, week):
    hazard = torch.sigmoid(model(x))
    log_survival = torch.cumsum(torch.log1p(-hazard), dim=1)
    before = log_survival.gather(1, (week - 1).unsqueeze(1)).squeeze(1)
    at = hazard.gather(1, week.unsqueeze(1)).squeeze(1)
    return -(before + torch.log(at + 1e-8)).mean()


for step in range(150):
    rows = torch.randint(0, 640, (64,))
    loss = negative_log_likelihood(patients[rows], event_week[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 30 == 0:
        with torch.no_grad():
            held_out = negative_log_likelihood(patients[640:], event_week[640:])
        print(f"step {step + 1}: {loss.item():.3f} held out {held_out.item():.3f}")
