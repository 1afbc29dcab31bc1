import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 14
torch.manual_seed(SEED)

digits = load_digits()
xa, xb, ya, yb = train_test_split(digits.data, digits.target, test_size=0.3, random_state=SEED, stratify=digits.target)
xa = torch.tensor(xa / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
xb = torch.tensor(xb / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
mean, std = xa.mean(), xa.std()
xa, xb = (xa - mean) / std, (xb - mean) / std
ya, yb = torch.tensor(ya), torch.tensor(yb)

model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.BatchNorm2d(16),
    torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 32, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.BatchNorm2d(32),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(128, 64),
    torch.nn.ReLU(),
    torch.nn.BatchNorm1d(64),
    torch.nn.Dropout(0.3),
    torch.nn.Linear(64, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_function = torch.nn.CrossEntropyLoss()

history = []
for epoch in range(9):
    model.train()
    perm = torch.randperm(len(xa))
    for i in range(0, len(xa), 32):
        batch = perm[i:i + 32]
        optimizer.zero_grad()
        loss = loss_function(model(xa[batch]), ya[batch])
        loss.backward()
        optimizer.step()

    model.eval()
    with torch.no_grad():
        out_train, out_test = model(xa), model(xb)
    history.append((loss_function(out_train, ya).item(), loss_function(out_test, yb).item(),
                    (out_test.argmax(1) == yb).float().mean().item()))
    print(epoch, "loss on train (eval mode) %.4f, on test %.4f, accuracy %.4f" % history[-1])

print("test loss %.4f" % history[-1][1])
