import torch, torch.nn as nn
from sklearn.datasets import load_digits

SEED = 50

torch.manual_seed(SEED)
d = load_digits()
X = torch.tensor(d.data, dtype=torch.float)
Y = torch.tensor(d.target)
mix = torch.randperm(len(X))
X, Y = X[mix], Y[mix]
Xtr, Ytr, Xva, Yva = X[:1200], Y[:1200], X[1200:], Y[1200:]
m, s = Xtr.mean(), Xtr.std()
Xtr, Xva = (Xtr - m) / s, (Xva - m) / s

lr, p = 0.05, 0.8
net = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Dropout(p),
    nn.Linear(128, 128), nn.ReLU(), nn.Dropout(p),
    nn.Linear(128, 64), nn.ReLU(), nn.Dropout(p),
    nn.Linear(64, 10))
opt = torch.optim.Adam(net.parameters(), lr=lr)
ce = nn.CrossEntropyLoss()

for ep in range(1, 13):
    net.train()
    order = torch.randperm(1200)
    tl = 0
    for i in range(0, 1200, 32):
        b = order[i:i+32]
        l = ce(net(Xtr[b]), Ytr[b])
        opt.zero_grad(); l.backward(); opt.step()
        tl += l.item() * len(b)
    net.eval()
    with torch.no_grad():
        o = net(Xva)
    print(ep, round(tl / 1200, 4), round(ce(o, Yva).item(), 4), round((o.argmax(1) == Yva).float().mean().item(), 4))

print('test accuracy', round((o.argmax(1) == Yva).float().mean().item(), 4))
