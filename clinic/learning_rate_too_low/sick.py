"""Compress handwritten digits to eight numbers and back."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


class Autoencoder(nn.Module):
    def __init__(self, size=64, code=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, 48), nn.ELU(), nn.Linear(48, code))
        self.decoder = nn.Sequential(nn.Linear(code, 48), nn.ELU(), nn.Linear(48, size))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def train_epoch(self, loader):
        self.model.train()
        for x in loader:
            self.optimizer.zero_grad()
            F.mse_loss(self.model(x), x).backward()
            self.optimizer.step()

    @torch.no_grad()
    def test(self, x):
        self.model.eval()
        return F.mse_loss(self.model(x), x).item() / x.var().item()


def main():
    torch.manual_seed(7)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    images = images[torch.randperm(len(images))] - images.mean(dim=0)
    train, test = images[:1437], images[1437:]
    loader = DataLoader(train, batch_size=64, shuffle=True)

    trainer = Trainer(Autoencoder(), lr=3e-6)
    for epoch in range(20):
        trainer.train_epoch(loader)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: unexplained variance {trainer.test(test):.3f}")
    print(f"unexplained variance of the test images {trainer.test(test):.3f}")


if __name__ == "__main__":
    main()
