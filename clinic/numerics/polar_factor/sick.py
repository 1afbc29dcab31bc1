# Align word vectors of two languages; a penalty pulls the map towards its nearest rotation.
import torch
from torch import nn

torch.manual_seed(19)
DIM = 8
rotation, _ = torch.linalg.qr(torch.randn(DIM, DIM))
source = torch.randn(600, DIM)
target = source @ rotation + 0.05 * torch.randn(600, DIM)


def nearest_rotation(matrix):
    u, _, vh = torch.linalg.svd(matrix)
    return u @ vh


mapping = nn.Linear(DIM, DIM, bias=False)
nn.init.orthogonal_(mapping.weight)
optimizer = torch.optim.Adam(mapping.parameters(), lr=0.01)
try:
    for step in range(400):
        rows = torch.randint(500, (100,))
        fit = (mapping(source[rows]) - target[rows]).square().mean()
        off = (mapping.weight - nearest_rotation(mapping.weight)).square().sum()
        loss = fit + 0.1 * off
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 80 == 79:
            test = (mapping(source[500:]) - target[500:]).square().mean()
            print(f"step {step + 1} loss {loss.item():.5f} test {test.item():.5f}")
except torch.linalg.LinAlgError as error:
    print("step", step, "failed:", str(error)[:60])
