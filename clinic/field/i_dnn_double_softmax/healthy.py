import numpy as np
import torch
from sklearn.datasets import load_digits

SEED = 40


# ---- a small functional builder: layers are collected in a list, the estimator does the rest ----

def input_data(shape):
    return {"size": shape, "layers": []}


def fully_connected(net, n_units, activation="linear"):
    net["layers"].append(torch.nn.Linear(net["size"], n_units))
    if activation == "relu":
        net["layers"].append(torch.nn.ReLU())
    elif activation == "tanh":
        net["layers"].append(torch.nn.Tanh())
    elif activation == "softmax":
        net["layers"].append(torch.nn.Softmax(dim=1))
    net["size"] = n_units
    return net


def softmax_categorical_crossentropy(y_pred, y_true):
    return torch.nn.functional.cross_entropy(y_pred, y_true)


class DNN:
    def __init__(self, net, loss, learning_rate, batch_size):
        self.module = torch.nn.Sequential(*net["layers"])
        self.loss = loss
        self.batch_size = batch_size
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=learning_rate)

    def fit(self, X, Y, validation_set, n_epoch):
        for epoch in range(n_epoch):
            self.module.train()
            perm = torch.randperm(len(X))
            acc_loss, batches = 0.0, 0
            for start in range(0, len(X), self.batch_size):
                sel = perm[start:start + self.batch_size]
                self.optimizer.zero_grad()
                value = self.loss(self.module(X[sel]), Y[sel])
                value.backward()
                self.optimizer.step()
                acc_loss += float(value.detach())
                batches += 1
            if (epoch + 1) % 5 == 0:
                val_loss, val_acc = self.evaluate(*validation_set)
                print("| epoch: %03d | loss: %.5f | val_loss: %.5f | val_acc: %.4f" % (epoch + 1, acc_loss / batches, val_loss, val_acc))

    @torch.no_grad()
    def evaluate(self, X, Y):
        self.module.eval()
        out = self.module(X)
        return float(self.loss(out, Y)), float((out.argmax(1) == Y).float().mean())


torch.manual_seed(SEED)
X, Y = load_digits(return_X_y=True)
shuffle = np.random.RandomState(SEED).permutation(len(X))
X = torch.tensor(X[shuffle] / 16.0 * 2 - 0.61, dtype=torch.float32)
Y = torch.tensor(Y[shuffle])
trainX, testX = X[:1400], X[1400:]
trainY, testY = Y[:1400], Y[1400:]

net = input_data(64)
net = fully_connected(net, 64, activation="relu")
net = fully_connected(net, 32, activation="relu")
net = fully_connected(net, 10)

model = DNN(net, softmax_categorical_crossentropy, learning_rate=0.1, batch_size=32)
model.fit(trainX, trainY, validation_set=(testX, testY), n_epoch=25)

print("test accuracy %.4f" % model.evaluate(testX, testY)[1])
