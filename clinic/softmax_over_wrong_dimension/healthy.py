import numpy as np
import torch
from sklearn.datasets import load_wine
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)

data, cultivar = load_wine(return_X_y=True)
data = (data - data.mean(axis=0)) / data.std(axis=0)
order = rng.permutation(len(data))
inputs = torch.from_numpy(data[order]).float()
labels = torch.from_numpy(cultivar[order])
train, test = slice(0, 120), slice(120, None)


class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 24)
        self.act = nn.ELU()
        self.fc2 = nn.Linear(24, 3)
        self.probabilities = nn.Softmax(dim=1)

    def forward(self, x):
        return self.probabilities(self.fc2(self.act(self.fc1(x))))


def negative_log_likelihood(probabilities, y):
    chosen = probabilities.gather(1, y.unsqueeze(1))
    return -torch.log(chosen + 1e-8).mean()


net = WineNet()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

for epoch in range(40):
    shuffled = torch.randperm(120)
    for start in range(0, 120, 30):
        pick = shuffled[start : start + 30]
        loss = negative_log_likelihood(net(inputs[train][pick]), labels[train][pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 10 == 0:
        with torch.no_grad():
            held_out = negative_log_likelihood(net(inputs[test]), labels[test])
        print(f"epoch {epoch + 1:2d}: loss {loss.item():.3f}, held out {held_out.item():.3f}")

with torch.no_grad():
    probabilities = net(inputs[test])
    guess = probabilities.argmax(dim=1)
    sure = probabilities.gather(1, labels[test].unsqueeze(1)).mean().item()
print(
    f"test accuracy {(guess == labels[test]).float().mean().item():.3f}, mean probability {sure:.3f}"
)
