import numpy as np
import torch
from torch import nn
from torch.nn.functional import relu, max_pool2d, softmax, dropout

SEED = 13
torch.manual_seed(SEED)
np.random.seed(SEED)
side = 30


def make_cells(n):
    """30x30 images of cells; the ill ones carry a dark parasite inside."""
    grid = np.mgrid[:side, :side]
    out, lab = np.empty((n, 1, side, side), np.float32), np.random.rand(n) < 0.5
    for k in range(n):
        c = np.random.uniform(12, 18, 2)
        r = np.random.uniform(8, 11)
        d = np.hypot(grid[0] - c[0], grid[1] - c[1])
        im = 0.9 - 0.35 * (d < r)
        if lab[k]:
            p = c + np.random.uniform(-4, 4, 2)
            im = im - 0.3 * (np.hypot(grid[0] - p[0], grid[1] - p[1]) < 2.2)
        out[k, 0] = im + 0.06 * np.random.randn(side, side)
    return out, lab.astype(np.int64)


images, labels = make_cells(700)
images = torch.from_numpy((images - images[:550].mean()) / images[:550].std())
labels = torch.from_numpy(labels)
x_tr, y_tr, x_te, y_te = images[:550], labels[:550], images[550:], labels[550:]


class CellNet(nn.Module):

    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 5, padding=2)
        self.c2 = nn.Conv2d(12, 16, 3, padding=1)
        self.c3 = nn.Conv2d(16, 16, 3, padding=1)
        self.f1 = nn.Linear(16 * 3 * 3, 50)
        self.f2 = nn.Linear(50, 1)

    def forward(self, x):
        x = max_pool2d(relu(self.c1(x)), 2)
        x = max_pool2d(relu(self.c2(x)), 2)
        x = max_pool2d(relu(self.c3(x)), 2)
        x = relu(self.f1(x.flatten(1)))
        x = dropout(x, 0.3, training=self.training)
        return self.f2(x)


def binary_crossentropy(p, t, eps=1e-7):
    p = torch.clamp(p, eps, 1 - eps)
    t = t.float()
    return -torch.mean(t * torch.log(p) + (1 - t) * torch.log(1 - p))


cnn = CellNet()
adam = torch.optim.Adam(cnn.parameters(), lr=1e-3)

for epoch in range(10):
    cnn.train()
    history = []
    for rows in np.array_split(np.random.permutation(len(x_tr)), len(x_tr) // 32):
        scores = cnn(x_tr[rows])
        probs = softmax(scores, 1)
        loss = binary_crossentropy(probs[:, 0], y_tr[rows])
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        history.append(float(loss.detach()))
    cnn.eval()
    with torch.no_grad():
        p_te = softmax(cnn(x_te), 1)[:, 0]
    print('%2d  loss %.4f  val loss %.4f' % (epoch, np.mean(history), float(binary_crossentropy(p_te, y_te))))

print('test accuracy %.4f' % ((p_te > 0.5).long() == y_te).float().mean())
