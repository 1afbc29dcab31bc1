import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

SEED = 2
torch.manual_seed(SEED)

iris = load_iris()
x = iris.data
y = iris.target

# train/test split and scaling
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=SEED)
scaler = StandardScaler()
x_train = scaler.fit_transform(x_train)
x_test = scaler.transform(x_test)

# the network needs one-hot labels
eye = torch.eye(3).numpy()
y_train, y_test = eye[y_train], eye[y_test]

to_t = lambda a: torch.tensor(a, dtype=torch.float32)
train = DataLoader(TensorDataset(to_t(x_train), to_t(y_train)), batch_size=5, shuffle=True)
xt, yt = to_t(x_test), to_t(y_test)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 4)
        self.out = nn.Linear(4, 3)
        nn.init.normal_(self.hidden.weight, std=0.5)
        nn.init.normal_(self.out.weight, std=0.5)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.out(x)


net = Classifier()
criterion = nn.CrossEntropyLoss()
opt = optim.Adam(net.parameters(), lr=3e-3)

for ep in range(1, 51):
    for bx, by in train:
        opt.zero_grad()
        loss = criterion(net(bx), by)
        loss.backward()
        opt.step()
    if ep % 10 == 0:
        with torch.no_grad():
            p = net(xt)
            print(ep, round(loss.item(), 4), "val acc", round((p.argmax(1) == yt.argmax(1)).float().mean().item(), 3))

net.eval()
with torch.no_grad():
    acc = (net(xt).argmax(1) == yt.argmax(1)).float().mean().item()
    print(f"test accuracy {acc:.4f}")
    print(f"test loss {criterion(net(xt), yt).item():.4f}")
