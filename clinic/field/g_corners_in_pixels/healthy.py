# find the corners (x1, y1, x2, y2) of a white rectangle in a grey picture of 150x150 pixels
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 5
np.random.seed(SEED)
torch.manual_seed(SEED)

FULL = 150          # size of the original pictures
SMALL = 30          # they are shrunk for the network
n_train, n_test = 600, 150


def picture():
    x1, y1 = np.random.randint(5, 90, 2)
    w, h = np.random.randint(20, 55, 2)
    x2, y2 = x1 + w, y1 + h
    img = np.random.normal(0.3, 0.08, (SMALL, SMALL))
    k = FULL // SMALL
    img[y1 // k:y2 // k + 1, x1 // k:x2 // k + 1] += 0.6
    return img, (x1, y1, x2, y2)


images, boxes = [], []
for _ in range(n_train + n_test):
    im, box = picture()
    images.append(im)
    boxes.append(box)
images = torch.tensor(np.array(images), dtype=torch.float32).unsqueeze(1)
boxes = torch.tensor(boxes, dtype=torch.float32)

mean, std = images[:n_train].mean(), images[:n_train].std()
images = (images - mean) / std

train_x, test_x = images[:n_train], images[n_train:]
train_y, test_y = boxes[:n_train], boxes[n_train:]
box_mean, box_std = train_y.mean(0), train_y.std(0)
train_y = (train_y - box_mean) / box_std


class BoxNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 8, 3)
        self.dense = nn.Linear(8, 16)
        self.out = nn.Linear(16 * 6 * 6, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.permute(0, 2, 3, 1)
        x = F.relu(self.dense(x))
        x = torch.flatten(x, 1)
        return self.out(x)


net = BoxNet()
optimizer = torch.optim.Adam(net.parameters())
batch = 16

for epoch in range(12):
    net.train()
    order = torch.randperm(n_train)
    losses = []
    for i in range(0, n_train, batch):
        j = order[i:i + batch]
        loss = F.mse_loss(net(train_x[j]), train_y[j])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        pred = net(test_x) * box_std + box_mean
        err = (pred - test_y).abs().mean().item()
    print("epoch", epoch, "loss %.3f" % np.mean(losses), "mean error in pixels %.2f" % err)

print("test mae %.2f" % err)
