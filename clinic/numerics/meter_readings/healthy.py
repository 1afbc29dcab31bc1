# Total of a meter over a window, vanilla recurrent network.
import torch
from torch import nn

torch.manual_seed(0)


class Counter(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.readout(h[0]).squeeze(1)


def batch(step):
    x = (torch.rand(16, 20, 1) < 0.3).float()
    if step % 170 == 169:  # a meter that lost its decimal point
        x[0] *= 1e5
    return x, x.sum(dim=(1, 2)) / 5


model = Counter()
optimizer = torch.optim.SGD(model.parameters(), lr=0.002)
running = 0.0
for step in range(420):
    x, y = batch(step)
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    running = 0.8 * running + 0.2 * loss.item()
    if step % 60 == 59:
        print(f"step {step + 1} loss {running:.4f}")
