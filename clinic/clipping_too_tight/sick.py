import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn
from torch.nn.utils import clip_grad_norm_

torch.manual_seed(9)

x, y = (torch.tensor(part) for part in load_wine(return_X_y=True))
x = ((x - x.mean(dim=0)) / x.std(dim=0)).float()
order = torch.randperm(len(x))
train_rows, test_rows = order[:120], order[120:]

model = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(40):
    model.train()
    for rows in train_rows[torch.randperm(len(train_rows))].split(20):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        model.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), max_norm=0.01)
        optimizer.step()
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            scores = model(x[test_rows])
        accuracy = (scores.argmax(1) == y[test_rows]).float().mean().item()
        test_loss = F.cross_entropy(scores, y[test_rows]).item()
        print(f"epoch {epoch + 1}: test loss {test_loss:.3f}, test accuracy {accuracy:.3f}")
