# tiny detector: one object per picture, a class head and a box head on shared features
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 21
torch.manual_seed(SEED)

LR = 0.01
MOMENTUM = 0.9
BATCH = 16
EPOCHS = 12
SIZE = 28


def make_pictures(n):
    imgs = 0.3 * torch.randn(n, 1, SIZE, SIZE)
    labels = torch.randint(0, 3, (n,))
    wh = torch.randint(7, 15, (n, 2))
    boxes = torch.zeros(n, 4)
    for i in range(n):
        w, h = wh[i].tolist()
        x = torch.randint(0, SIZE - w, (1,)).item()
        y = torch.randint(0, SIZE - h, (1,)).item()
        patch = imgs[i, 0, y:y + h, x:x + w]
        if labels[i] == 0:                     # filled
            patch += 1.5
        elif labels[i] == 1:                   # stripes
            patch[::2] += 2.5
        else:                                  # frame
            patch[:2] += 2.0
            patch[-2:] += 2.0
            patch[:, :2] += 2.0
            patch[:, -2:] += 2.0
        boxes[i] = torch.tensor([x + w / 2, y + h / 2, w, h])
    imgs = (imgs - imgs.mean()) / imgs.std()
    # encode against a centred anchor, with the usual weights (10, 10, 5, 5)
    anchor = SIZE / 2
    t = torch.empty(n, 4)
    t[:, :2] = 2.0 * (boxes[:, :2] - anchor) / anchor
    t[:, 2:] = 2.0 * torch.log(boxes[:, 2:] / 10.5)
    return imgs, labels, t


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, stride=2, padding=1)
        self.fc6 = nn.Linear(32 * 16, 128)
        self.cls_score = nn.Linear(128, 3)
        self.bbox_pred = nn.Linear(128, 4)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = F.relu(self.fc6(x.flatten(1)))
        return self.cls_score(x), self.bbox_pred(x)


x_train, c_train, b_train = make_pictures(640)
x_test, c_test, b_test = make_pictures(300)

net = Detector()
optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=1e-4)

step = 0
for epoch in range(EPOCHS):
    net.train()
    perm = torch.randperm(len(x_train))
    for k in range(0, len(perm), BATCH):
        ix = perm[k:k + BATCH]
        score, delta = net(x_train[ix])
        loss_cls = F.cross_entropy(score, c_train[ix])
        loss_rcnn_box = F.smooth_l1_loss(delta, b_train[ix], reduction="sum") / len(ix)
        loss = loss_cls + loss_rcnn_box
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step:4d} loss_cls {loss_cls.item():.4f} loss_rcnn_box {loss_rcnn_box.item():.4f}")
        step += 1

    net.eval()
    with torch.no_grad():
        score, delta = net(x_test)
        acc = (score.argmax(1) == c_test).float().mean().item()
        box = F.smooth_l1_loss(delta, b_test).item()
    print(f"epoch {epoch} val accuracy {acc:.3f} val box loss {box:.4f}")

print(f"test accuracy {acc:.4f}")
