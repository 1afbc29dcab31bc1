"""Topic classification of short newswires (bag of words, tf-idf), after the well-known Reuters example."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.feature_extraction.text import TfidfTransformer

SEED = 8
rs = np.random.RandomState(SEED)
torch.manual_seed(SEED)

max_words, num_classes = 600, 20
n_docs = 3000
batch_size = 32
epochs = 6


def make_corpus():
    base = 1.0 / np.arange(1, max_words + 1)
    topics = np.stack([base * np.exp(0.8 * rs.randn(max_words)) for _ in range(num_classes)])
    topics /= topics.sum(axis=1, keepdims=True)
    classes = rs.randint(num_classes, size=n_docs)
    counts = np.stack([rs.multinomial(rs.randint(40, 90), topics[c]) for c in classes])
    return counts, classes


print('Loading data...')
counts, classes = make_corpus()
n_train = 2400
tfidf = TfidfTransformer().fit(counts[:n_train])
X = torch.tensor(tfidf.transform(counts).toarray() * 20, dtype=torch.float32)
X = X - X[:n_train].mean(dim=0)
y = torch.tensor(classes)
x_train, y_train, x_test, y_test = X[:n_train], y[:n_train], X[n_train:], y[n_train:]
print(len(x_train), 'train sequences;', len(x_test), 'test sequences;', num_classes, 'classes')


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense_1 = nn.Linear(max_words, 128)
        self.drop = nn.Dropout(0.5)
        self.dense_2 = nn.Linear(128, num_classes)

    def forward(self, x):
        x = self.drop(F.relu(self.dense_1(x)))
        return F.softsign(self.dense_2(x))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(epochs):
    model.train()
    perm = torch.randperm(n_train)
    seen = 0.0
    for i in range(0, n_train, batch_size):
        b = perm[i:i + batch_size]
        loss = F.cross_entropy(model(x_train[b]), y_train[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(b)

    model.eval()
    with torch.inference_mode():
        scores = model(x_test)
        val_loss = F.cross_entropy(scores, y_test)
        val_acc = (scores.argmax(-1) == y_test).float().mean()
    print('Epoch {}/{} - loss: {:.4f} - val_loss: {:.4f} - val_acc: {:.4f}'.format(
        epoch + 1, epochs, seen / n_train, val_loss.item(), val_acc.item()))

print('Test accuracy:', round(val_acc.item(), 4))
print('test loss', round(val_loss.item(), 4))
