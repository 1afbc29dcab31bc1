import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

SEED = 2
torch.manual_seed(SEED)

X, y = make_classification(n_samples=9000, n_features=34, n_informative=14, n_redundant=4,
                           n_clusters_per_class=3, class_sep=1.0, flip_y=0.01, random_state=SEED)
X_train, X_test = X[:8000], X[8000:]
y_train, y_test = y[:8000], y[8000:]
sc = StandardScaler()
X_train = torch.FloatTensor(sc.fit_transform(X_train))
X_test = torch.FloatTensor(sc.transform(X_test))
y_train = torch.FloatTensor(y_train).view(-1, 1)
y_test = torch.FloatTensor(y_test).view(-1, 1)

classifier = nn.Sequential(
    nn.Linear(34, 512),
    nn.ReLU(),
    nn.Linear(512, 200),
    nn.ReLU(),
    nn.Linear(200, 200),
    nn.ReLU(),
    nn.Linear(200, 200),
    nn.ReLU(),
    nn.Linear(200, 128),
    nn.ReLU(),
    nn.Linear(128, 1),
    nn.ReLU())

loss_function = nn.BCELoss()
opt = torch.optim.RMSprop(classifier.parameters(), lr=0.001)

batch_size = 200
nb_epoch = 4
for epoch in range(nb_epoch):
    shuffled = torch.randperm(X_train.size(0)).split(batch_size)
    for step, idx in enumerate(shuffled):
        pred = classifier(X_train[idx])
        cost = loss_function(pred, y_train[idx])
        opt.zero_grad()
        cost.backward()
        opt.step()
        if step % 10 == 0:
            print(f"epoch {epoch} step {step} loss {cost.item():.4f}")
    with torch.no_grad():
        val = loss_function(classifier(X_test), y_test)
    print(f"epoch {epoch} val_loss {val.item():.4f}")

with torch.no_grad():
    y_pred = classifier(X_test) > 0.5
print(f"test accuracy {(y_pred == y_test.bool()).float().mean().item():.4f}")
