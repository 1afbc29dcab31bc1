import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(1)
torch.autograd.set_detect_anomaly(True, check_nan=True)

x, y = load_wine(return_X_y=True)
x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, stratify=y, random_state=1)
scaler = StandardScaler().fit(x)
x, x_test = (torch.tensor(scaler.transform(part), dtype=torch.float32) for part in (x, x_test))
y, y_test = torch.tensor(y), torch.tensor(y_test)

w1 = torch.empty(13, 32)
w2 = torch.empty(32, 3)
for w in (w1, w2):
    torch.nn.init.xavier_uniform_(w)
b1, b2 = torch.zeros(32), torch.zeros(3)
params = [w1, b1, w2, b2]
for p in params:
    p.requires_grad_()


def net(inputs):
    return torch.tanh(inputs @ w1 + b1) @ w2 + b2


opt = torch.optim.SGD(params, lr=0.01, momentum=0.9, weight_decay=0.02)
for it in range(120):
    pick = torch.randint(0, len(x), (32,))
    loss = torch.nn.functional.cross_entropy(net(x[pick]), y[pick])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if (it + 1) % 30 == 0:
        with torch.no_grad():
            out = net(x_test)
            test = torch.nn.functional.cross_entropy(out, y_test)
            acc = (out.argmax(1) == y_test).float().mean()
        print(f"{it + 1} updates: test loss {test:.3f}, accuracy {acc:.3f}")
