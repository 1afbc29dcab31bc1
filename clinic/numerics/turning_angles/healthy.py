# Pedestrian, cyclist or car? Classify tracks by how they turn.
import torch
import torch.nn as nn

torch.manual_seed(2)
WOBBLE = torch.tensor([0.5, 0.15, 0.03])


def tracks(n):
    kind = torch.randint(0, 3, (n,))
    heading = 6.28 * torch.rand(n, 1) + (WOBBLE[kind].unsqueeze(1) * torch.randn(n, 20)).cumsum(1)
    steady = torch.rand(n) < 0.03
    heading[steady] = heading[steady][:, :1]  # straight ahead
    speed = 1 + torch.rand(n, 1)
    return speed.unsqueeze(2) * torch.stack([heading.cos(), heading.sin()], dim=2), kind


class TurnNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.out = nn.Linear(16, 3)

    def forward(self, steps):
        direction = steps / steps.norm(dim=2, keepdim=True)
        cosine = (direction[:, 1:] * direction[:, :-1]).sum(dim=2)
        turn = torch.acos(cosine.clamp(-1.0, 1.0))
        _, last = self.rnn(turn.unsqueeze(2))
        return self.out(last[0])


x, y = tracks(1000)
x_test, y_test = tracks(300)
net = TurnNet()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(120):
    batch = torch.randint(0, 1000, (16,))
    loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 30 == 29:
        right = (net(x_test).argmax(1) == y_test).float().mean().item()
        print(f"{step + 1:4d}  loss {loss.item():.4f} right {right:.3f}")
