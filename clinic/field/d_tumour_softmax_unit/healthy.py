import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 7


def load(seed):
    data = load_breast_cancer()
    x_train, x_test, y_train, y_test = train_test_split(
        data.data, data.target, test_size=0.2, random_state=seed, stratify=data.target
    )
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
    as_float = lambda a: torch.as_tensor(a, dtype=torch.float32)
    return (as_float(x_train), as_float(y_train).view(-1, 1),
            as_float(x_test), as_float(y_test).view(-1, 1))


class TumourNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.block1 = nn.Sequential(nn.Linear(n_features, 30), nn.ReLU(), nn.BatchNorm1d(30))
        self.block2 = nn.Sequential(nn.Linear(30, 60), nn.ReLU(), nn.BatchNorm1d(60))
        self.head = nn.Linear(60, 1)
        self.out = nn.Sigmoid()

    def forward(self, x):
        return self.out(self.head(self.block2(self.block1(x))))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        p = model(x)
        return ((p >= 0.5).float() == y).float().mean().item()


def main():
    torch.manual_seed(SEED)
    x_train, y_train, x_test, y_test = load(SEED)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True, drop_last=True)
    model = TumourNet(x_train.shape[1])
    loss_fn = nn.BCELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    for epoch in range(1, 13):
        model.train()
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"{epoch:2d}: loss {sum(losses) / len(losses):.4f}  acc {evaluate(model, x_test, y_test):.4f}")
    print(f"test accuracy {evaluate(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
