"""Dense network on small grey pictures: is the shape in the picture a ring or a disc?"""
import torch
from torch import nn
from torch.nn import functional as F

SEED = 1
SIDE = 57
torch.manual_seed(SEED)


def pictures(n):
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    cx, cy = torch.rand(2, n, 1, 1) * 0.6 - 0.3
    size = torch.rand(n, 1, 1) * 0.25 + 0.35
    r = ((xx - cx) ** 2 + (yy - cy) ** 2).sqrt()
    ring = torch.rand(n) < 0.5
    shape = torch.where(ring.view(-1, 1, 1), (r - size).abs() < 0.12, r < size).float()
    img = (0.7 * shape + 0.25 * torch.randn(n, SIDE, SIDE) + 0.15).clamp(0, 1)
    return (img - 0.35) / 0.3, ring.float()


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(SIDE * SIDE, 96)
        self.l2 = nn.Linear(96, 64)
        self.l3 = nn.Linear(64, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, img):
        z = img.flatten(1)
        z = F.relu(self.l1(z))
        z = F.relu(self.l2(z))
        return self.sigmoid(self.l3(z)).squeeze(1)


train_img, train_lab = pictures(1200)
val_img, val_lab = pictures(300)
net = Dense()
opt = torch.optim.Adam(net.parameters(), lr=1e-4)

step = 0
for epoch in range(9):
    net.train()
    for idx in torch.randperm(len(train_img)).split(32):
        prob = net(train_img[idx])
        loss = F.binary_cross_entropy(prob, train_lab[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1
        if step % 50 == 0:
            print("step", step, "loss", round(loss.item(), 4))
    net.eval()
    with torch.no_grad():
        prob = net(val_img)
        val_loss = F.binary_cross_entropy(prob, val_lab).item()
        val_acc = ((prob >= 0.5) == (val_lab == 1)).float().mean().item()
    print("epoch", epoch + 1, "val loss", round(val_loss, 4), "val acc", round(val_acc, 4))

print("test accuracy", round(val_acc, 4))
