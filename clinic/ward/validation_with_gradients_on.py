"""Digits with batch norm, validated in eval mode without no_grad: best validation accuracy about 0.97."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.layers(x))


class Trainer:
    def __init__(self, model, train_loader, valid_loader):
        self.model = model
        self.loaders = {"train": train_loader, "valid": valid_loader}
        self.optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
        self.criterion = nn.CrossEntropyLoss()
        self.best = (0.0, None)

    def one_pass(self, phase):
        self.model.train(phase == "train")
        loss_sum = correct = seen = 0
        for x, y in self.loaders[phase]:
            output = self.model(x)
            loss = self.criterion(output, y)
            if phase == "train":
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            loss_sum += loss.item() * len(y)
            correct += (output.argmax(1) == y).sum().item()
            seen += len(y)
        return loss_sum / seen, correct / seen

    def fit(self, epochs):
        for epoch in range(epochs):
            train_loss, _ = self.one_pass("train")
            valid_loss, accuracy = self.one_pass("valid")
            if accuracy > self.best[0]:
                self.best = (accuracy, copy.deepcopy(self.model.state_dict()))
            print(f"{epoch:2d} train {train_loss:.4f} valid {valid_loss:.4f} ({accuracy:.4f})")
        return self.best[0]


if __name__ == "__main__":
    torch.manual_seed(0)
    digits = load_digits()
    features = torch.tensor(digits.data, dtype=torch.float32) / 16 - 0.3
    dataset = TensorDataset(features, torch.tensor(digits.target))
    train, valid = random_split(dataset, [1400, 397])
    trainer = Trainer(
        Net(), DataLoader(train, batch_size=50, shuffle=True), DataLoader(valid, batch_size=200)
    )
    print(f"best validation accuracy {trainer.fit(10):.4f}")
