"""Low-rank adapters on a fitted digit classifier: adapt it to scans turned by a quarter."""
import math
import warnings

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

SEED = 9
RANK = 8
ALPHA = 16


class LoRALinear(nn.Module):
    def __init__(self, base, rank=RANK, alpha=ALPHA):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.lora_a.T) @ self.lora_b.T


class Classifier(nn.Module):
    def __init__(self, checkpoint):
        super().__init__()
        layers = []
        for weight, bias in zip(checkpoint.coefs_, checkpoint.intercepts_):
            linear = nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.T))
                linear.bias.copy_(torch.from_numpy(bias))
            layers.append(linear)
        self.fc1, self.fc2, self.fc3 = layers

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def add_lora(model):
    for name in ("fc1", "fc2", "fc3"):
        setattr(model, name, LoRALinear(getattr(model, name)))
    return model


class Trainer:
    def __init__(self, model, train, valid, lr=3e-3, batch_size=32, epochs=12):
        self.model, self.train_data, self.valid_data = model, train, valid
        self.batch_size, self.epochs = batch_size, epochs
        trainable = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trainable, lr=lr)
        self.loss_fn = nn.CrossEntropyLoss()

    def validate(self):
        self.model.eval()
        x, y = self.valid_data
        with torch.no_grad():
            return (self.model(x).argmax(dim=-1) == y).float().mean().item()

    def train(self):
        x, y = self.train_data
        for epoch in range(self.epochs):
            self.model.train()
            total = 0.0
            for rows in torch.randperm(len(x)).split(self.batch_size):
                loss = self.loss_fn(self.model(x[rows]), y[rows])
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch + 1} | train loss {total / len(x):.4f} | valid acc {self.validate():.4f}")


def main():
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    images, labels = digits.images[order] / 8.0 - 1.0, digits.target[order]

    # the checkpoint we start from knows upright digits only
    flat = images.reshape(len(images), -1)
    checkpoint = MLPClassifier((64, 64), max_iter=12, n_iter_no_change=50, random_state=SEED, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # twelve rounds are enough, converged or not
        checkpoint.fit(flat[:700], labels[:700])

    turned = -np.rot90(images, axes=(1, 2)).reshape(len(images), -1)
    turned = torch.tensor(turned.copy(), dtype=torch.float32)
    labels = torch.from_numpy(labels)
    train, valid = (turned[:1400], labels[:1400]), (turned[1400:], labels[1400:])

    model = add_lora(Classifier(checkpoint))
    trainer = Trainer(model, train, valid)
    print(f"before adapting: {trainer.validate():.4f}")
    trainer.train()
    print(f"test accuracy {trainer.validate():.4f}")


if __name__ == "__main__":
    main()
