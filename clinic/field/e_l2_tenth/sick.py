import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 6
torch.manual_seed(SEED)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=SEED)
X_train = torch.FloatTensor(X_train) / 8 - 1
X_test = torch.FloatTensor(X_test) / 8 - 1
y_train = torch.LongTensor(y_train)
y_test = torch.LongTensor(y_test)

net = nn.Sequential(
    nn.Linear(64, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
ce = nn.CrossEntropyLoss()
optim = torch.optim.Adam(net.parameters(), lr=0.001)
l2_lambda = 0.1

for epoch in range(20):
    net.train()
    running_loss, seen, right = 0.0, 0, 0
    for idx in torch.randperm(len(X_train)).split(32):
        logits = net(X_train[idx])
        penalty = sum(layer.weight.pow(2).sum() for layer in net if isinstance(layer, nn.Linear))
        loss = ce(logits, y_train[idx]) + l2_lambda * penalty
        optim.zero_grad()
        loss.backward()
        optim.step()
        running_loss += loss.item() * len(idx)
        right += (logits.argmax(1) == y_train[idx]).sum().item()
        seen += len(idx)
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1:2d} loss {running_loss / seen:.3f} acc {right / seen:.3f}")

net.eval()
with torch.no_grad():
    hits = (net(X_test).argmax(1) == y_test).sum().item()
print(f"test accuracy {hits / len(y_test):.3f}")
