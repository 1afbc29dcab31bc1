"""A toy planner: the ego car looks at the agents around it and predicts its next eight way points."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 2
PRECISION = 16
torch.manual_seed(SEED)

AGENTS, FEATURES, STEPS = 6, 4, 8


def scenes(n):
    ego = torch.randn(n, 3)  # speed, acceleration, curvature; standardised
    agents = torch.randn(n, AGENTS, FEATURES)
    count = torch.randint(0, AGENTS + 1, (n, 1))
    padded = torch.arange(AGENTS) >= count
    agents = agents.masked_fill(padded.unsqueeze(-1), 0.0)
    nearness = agents[..., 0].clamp(min=0).amax(dim=1, keepdim=True)
    time = torch.linspace(0.125, 1.0, STEPS)
    forward = (1 + 0.5 * ego[:, :1]) * time + 0.5 * (ego[:, 1:2] - nearness) * time**2
    sideways = 0.7 * ego[:, 2:3] * time**2 + 0.2 * torch.tanh(agents[..., 1].sum(1, keepdim=True)) * time
    track = torch.stack([forward, sideways], dim=-1) + 0.02 * torch.randn(n, STEPS, 2)
    return ego, agents, padded, track


class Planner(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.width = width
        self.ego = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width))
        self.agent = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, width))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.decode = nn.Sequential(nn.Linear(2 * width, 96), nn.ReLU(), nn.Linear(96, STEPS * 2))

    def forward(self, ego, agents, padded):
        ego = self.ego(ego)
        agents = self.agent(agents)
        scores = self.key(agents) @ self.query(ego).unsqueeze(-1) / self.width**0.5
        scores = scores.squeeze(-1) + padded.to(scores.dtype) * -1e9
        weights = torch.softmax(scores, dim=-1)
        context = (weights.unsqueeze(-1) * self.value(agents)).sum(dim=1)
        return self.decode(torch.cat([ego, context], dim=-1)).view(-1, STEPS, 2)


train_set, test_set = scenes(2000), scenes(500)
loader = DataLoader(TensorDataset(*train_set), batch_size=64, shuffle=True)
model = Planner()
objective = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
half = PRECISION == 16
scaler = torch.amp.GradScaler("cpu", enabled=half)


def evaluate():
    model.eval()
    ego, agents, padded, track = test_set
    with torch.no_grad():
        return objective(model(ego, agents, padded), track).item()


for epoch in range(15):
    model.train()
    training_loss = 0.0
    for ego, agents, padded, track in loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16, enabled=half):
            plan = model(ego, agents, padded)
            loss = objective(plan.float(), track)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        training_loss += loss.item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}: training_loss {training_loss / len(loader):.4f} val_loss {evaluate():.4f}")

print(f"test mse {evaluate():.4f}")
