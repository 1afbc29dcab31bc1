import torch
from torch import nn

torch.manual_seed(15)
USERS, ITEMS, DIM = 80, 120, 8

taste, style = torch.randn(USERS, 3), torch.randn(ITEMS, 3)
u = torch.randint(0, USERS, (6000,))
i = torch.randint(0, ITEMS, (6000,))
rating = (taste[u] * style[i]).sum(dim=1) / 3


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(USERS, DIM)
        self.item = nn.Embedding(ITEMS, DIM)
        nn.init.normal_(self.user.weight, std=0.5)
        nn.init.normal_(self.item.weight, std=0.5)

    def forward(self, user, item):
        return (self.user(user) * self.item(item)).sum(dim=1)


model = Recommender().half()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, eps=1e-4)
for step in range(400):
    rows = torch.randint(0, 5000, (256,))
    predicted = model(u[rows], i[rows])
    loss = (predicted - rating[rows].half()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 80 == 0:
        with torch.no_grad():
            error = (model(u[5000:], i[5000:]).float() - rating[5000:]).square().mean()
        print(f"step {step + 1}: loss {loss.item():.4f}, held out {error.item():.4f}")
