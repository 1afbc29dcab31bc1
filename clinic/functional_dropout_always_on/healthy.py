import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class DigitNet(nn.Module):
    def __init__(self, p=0.4):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, kernel_size=3)
        self.fc1 = nn.Linear(16 * 9, 64)
        self.fc2 = nn.Linear(64, 10)
        self.p = p

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.dropout(x, self.p, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def load(seed):
    bunch = load_digits()
    images = torch.as_tensor(bunch.images, dtype=torch.float32)[:, None]
    images = (images - 4.9) / 6.0
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    labels = torch.as_tensor(bunch.target)
    return (images[order[:1200]], labels[order[:1200]]), (
        images[order[1200:]],
        labels[order[1200:]],
    )


def main():
    torch.manual_seed(4)
    train, test = load(4)
    net = DigitNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, 9):
        net.train()
        for rows in torch.randperm(len(train[0])).split(40):
            optimizer.zero_grad()
            F.nll_loss(net(train[0][rows]), train[1][rows]).backward()
            optimizer.step()
        net.eval()
        with torch.inference_mode():
            scores = net(test[0])
            loss = F.nll_loss(scores, test[1]).item()
            wrong = (scores.argmax(1) != test[1]).sum().item()
        print(f"epoch {epoch} test loss {loss:.4f}, {wrong} wrong")
    print(f"test error {wrong / len(test[1]):.4f}")


if __name__ == "__main__":
    main()
