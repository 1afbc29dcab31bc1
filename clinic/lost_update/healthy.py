import math

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(5)

digits = load_digits()
rows = torch.tensor(digits.images, dtype=torch.float32).div(8).sub(1)  # 8 rows of 8 pixels
names = torch.tensor(digits.target)
split = torch.randperm(len(rows)).tensor_split([1400])


class RowReader(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Linear(8, dim)
        self.position = nn.Parameter(torch.randn(8, dim) / math.sqrt(dim))
        self.block = nn.TransformerEncoderLayer(
            dim, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        return self.head(self.block(self.embed(x) + self.position).mean(dim=1))


model = RowReader()
opt = torch.optim.SGD(model.parameters(), lr=0.1)


def evaluate():
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(rows[split[1]].to(model.head.weight.dtype)).float()
    target = names[split[1]]
    return F.cross_entropy(out, target).item(), (out.argmax(-1) == target).float().mean().item()


for epoch in range(4):
    for picked in split[0][torch.randperm(len(split[0]))].split(32):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(rows[picked].to(model.head.weight.dtype))
        loss = F.cross_entropy(out.float(), names[picked])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch %d  test loss %.3f  accuracy %.3f" % (epoch + 1, *evaluate()))
