import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 13
np.random.seed(SEED)
torch.manual_seed(SEED)

# five measurements, two kinds
X, y = make_classification(n_samples=1500, n_features=5, n_informative=4, n_redundant=1, n_classes=2,
                           n_clusters_per_class=2, class_sep=1.3, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, random_state=SEED, stratify=y)
sc = StandardScaler()
X_train = torch.FloatTensor(sc.fit_transform(X_train))
X_val = torch.FloatTensor(sc.transform(X_val))
y_train = torch.LongTensor(y_train).reshape(-1, 1)
y_val = torch.LongTensor(y_val).reshape(-1, 1)


def crossentropy(scores, target):
    return torch.nn.functional.cross_entropy(scores, target[:, 0])


hidden = torch.nn.Linear(5, 50)
output = torch.nn.Linear(50, 2)


def predict(x):
    h = torch.relu(hidden(x))
    return output(h)


params = list(hidden.parameters()) + list(output.parameters())
adam = torch.optim.Adam(params, lr=0.001)

n = len(X_train)
for epoch in range(20):
    perm = np.random.permutation(n)
    epoch_loss = 0.0
    for k in range(0, n, 32):
        rows = perm[k:k + 32]
        scores = predict(X_train[rows])
        loss = crossentropy(scores, y_train[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
        epoch_loss += loss.item() * len(rows) / n
    if (epoch + 1) % 4 == 0:
        with torch.no_grad():
            pv = predict(X_val)
            acc = (pv.argmax(dim=1) == y_val[:, 0]).float().mean().item()
        print("Epoch %2d/20 - loss: %.4f - val_acc: %.4f" % (epoch + 1, epoch_loss, acc))

print("test accuracy %.4f" % acc)
