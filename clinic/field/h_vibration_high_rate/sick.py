import torch, math
import torch.nn as nn
import torch.optim as optim

SEED = 2
torch.manual_seed(SEED)

# ---- data: vibration snippets of a motor in one of four states ----
def snippets(n, length=96):
    t = torch.arange(length) / length
    state = torch.randint(0, 4, (n,))
    f = torch.tensor([3., 5., 8., 12.])[state] + 0.4 * torch.randn(n)
    phase = 2 * math.pi * torch.rand(n)
    s = torch.sin(2 * math.pi * f[:, None] * t + phase[:, None])
    s = s + 0.6 * torch.randn(n, length)
    return s.unsqueeze(1), state

Xtr, ytr = snippets(1200)
Xva, yva = snippets(400)
Xte, yte = snippets(400)
m, s = Xtr.mean(), Xtr.std()
Xtr, Xva, Xte = (Xtr - m) / s, (Xva - m) / s, (Xte - m) / s

# ---- model ----
model = nn.Sequential()
model.add_module('conv1', nn.Conv1d(1, 16, 9, padding=4))
model.add_module('relu1', nn.ReLU())
model.add_module('pool1', nn.MaxPool1d(4))
model.add_module('conv2', nn.Conv1d(16, 32, 5, padding=2))
model.add_module('relu2', nn.ReLU())
model.add_module('pool2', nn.MaxPool1d(4))
model.add_module('flat', nn.Flatten())
model.add_module('fc1', nn.Linear(32 * 6, 64))
model.add_module('relu3', nn.ReLU())
model.add_module('fc2', nn.Linear(64, 4))

criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.1)

# ---- training ----
batch_size = 40
n_epochs = 8
for epoch in range(n_epochs):
    model.train()
    perm = torch.randperm(Xtr.size(0))
    train_loss = 0
    for b in range(0, Xtr.size(0), batch_size):
        i = perm[b:b + batch_size]
        optimizer.zero_grad()
        y_hat = model(Xtr[i])
        loss = criterion(y_hat, ytr[i])
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(i)

    model.eval()
    with torch.no_grad():
        out = model(Xva)
        val_loss = criterion(out, yva).item()
        acc = (out.argmax(1) == yva).float().mean().item()
    print('Epoch: {:2d}  Training Loss: {:.6f}  Validation Loss: {:.6f}  Validation Accuracy: {:.3f}'.format(
        epoch, train_loss / Xtr.size(0), val_loss, acc))

# ---- test ----
with torch.no_grad():
    pred = model(Xte).argmax(1)
print('predicted states:', torch.bincount(pred, minlength=4).tolist())
print('test accuracy {:.3f}'.format((pred == yte).float().mean().item()))
