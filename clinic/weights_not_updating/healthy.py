import copy

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR


def build(num_features, num_classes):
    return nn.Sequential(
        nn.Linear(num_features, 24),
        nn.LeakyReLU(),
        nn.Linear(24, num_classes),
    )


def with_class_prior(model, labels):
    """A copy of the model whose first guess is the frequency of the classes."""
    model = copy.deepcopy(model)
    frequency = torch.bincount(labels) / len(labels)
    with torch.no_grad():
        model[-1].bias.copy_(frequency.log())
    return model


def main():
    torch.manual_seed(12)
    x, y = load_wine(return_X_y=True)
    split = train_test_split(x, y, test_size=0.4, random_state=12, stratify=y)
    scaler = StandardScaler().fit(split[0])
    x_train, x_test = (torch.tensor(scaler.transform(part)).float() for part in split[:2])
    y_train, y_test = (torch.tensor(part) for part in split[2:])

    model = build(num_features=13, num_classes=3)
    model = with_class_prior(model, y_train)
    optimizer = Adam(model.parameters(), lr=0.005)
    scheduler = StepLR(optimizer, step_size=20, gamma=0.3)
    criterion = nn.CrossEntropyLoss()

    for epoch in range(1, 41):
        model.train()
        for rows in torch.randperm(len(x_train)).split(16):
            optimizer.zero_grad()
            loss = criterion(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 10 == 0:
            model.eval()
            with torch.no_grad():
                logits = model(x_test)
            accuracy = (logits.argmax(dim=1) == y_test).float().mean().item()
            val_loss = criterion(logits, y_test).item()
            print(f"epoch {epoch}: val loss {val_loss:.3f}, val accuracy {accuracy:.3f}")
    print(f"final accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
