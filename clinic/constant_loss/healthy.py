import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

np.random.seed(2)
torch.manual_seed(2)

x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=2)
scaler = StandardScaler().fit(x_train)
x_train = torch.FloatTensor(scaler.transform(x_train))
x_test = torch.FloatTensor(scaler.transform(x_test))
y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(30, 16)
        self.output = nn.Linear(16, 2)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


def total_loss(model, x, y):
    losses = [nn.functional.cross_entropy(scores, label) for scores, label in zip(model(x), y)]
    return torch.stack(losses).mean()


model = Classifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
history = []
for step in range(300):
    rows = torch.from_numpy(np.random.choice(len(x_train), 24, replace=False))
    loss = total_loss(model, x_train[rows], y_train[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step % 50 == 49:
        model.eval()
        with torch.no_grad():
            predicted = model(x_test).argmax(dim=1)
        model.train()
        accuracy = (predicted == y_test).float().mean().item()
        print(f"step {step + 1}: loss {np.mean(history[-50:]):.4f}, test accuracy {accuracy:.3f}")
