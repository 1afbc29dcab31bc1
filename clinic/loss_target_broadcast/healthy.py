import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(seed):
    x, y = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=seed)
    x_mean, x_std = x_train.mean(axis=0), x_train.std(axis=0)
    y_mean, y_std = y_train.mean(), y_train.std()

    def dataset(x, y):
        inputs = torch.tensor((x - x_mean) / x_std, dtype=torch.float32)
        targets = torch.tensor((y - y_mean) / y_std, dtype=torch.float32)
        return TensorDataset(inputs, targets)

    return dataset(x_train, y_train), dataset(x_test, y_test)


def main():
    torch.manual_seed(4)
    train_set, test_set = load(seed=4)
    loader = DataLoader(train_set, batch_size=32, shuffle=True)
    net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
    mse = nn.MSELoss()
    num_epochs = 30
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.003, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_epochs)

    for epoch in range(num_epochs):
        losses = []
        for x, y in loader:
            loss = mse(net(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}: training loss {sum(losses) / len(losses):.3f}")

    x, y = test_set.tensors
    with torch.no_grad():
        residual = y - net(x).squeeze(1)
    r2 = 1 - residual.square().mean() / y.var(correction=0)
    print(f"test R2 {r2.item():.3f}")


if __name__ == "__main__":
    main()
