"""
Mesh from keypoints: a mean shape (UV sphere) is deformed to fit what was seen.

The net gets 2-D keypoints of an object and predicts an offset for every vertex of the mean shape.
Loss: squared distance of the vertices + a triangle loss that keeps the edges about as long as in the mean shape.
"""
import math

import torch
import torch.nn as nn

SEED = 13
RINGS, SECTORS = 6, 8
N_OBJECTS, N_TEST = 900, 200
BATCH, EPOCHS = 16, 12

torch.manual_seed(SEED)


def uv_sphere():
    verts, faces = [], []
    for i in range(RINGS + 1):
        theta = math.pi * i / RINGS
        radius = 0.0 if i in (0, RINGS) else math.sin(theta)
        for j in range(SECTORS):
            phi = 2 * math.pi * j / SECTORS
            verts.append((radius * math.cos(phi), radius * math.sin(phi), math.cos(theta)))
    for i in range(RINGS):
        for j in range(SECTORS):
            a, b = i * SECTORS + j, i * SECTORS + (j + 1) % SECTORS
            c, d = a + SECTORS, b + SECTORS
            faces += [(a, b, c), (b, d, c)]
    return torch.tensor(verts), torch.tensor(faces)


mean_shape, faces = uv_sphere()
N_VERTS = len(mean_shape)


def make_objects(n):
    """Ellipsoids with a bent axis, seen from above and aside, with some noise."""
    axes = 0.7 + 0.8 * torch.rand(n, 1, 3)
    bend = 0.5 * torch.randn(n, 1)
    verts = mean_shape * axes
    verts = torch.stack(
        [verts[..., 0] + bend * verts[..., 2] ** 2, verts[..., 1] + 0.3 * bend * verts[..., 0], verts[..., 2]], dim=-1
    )
    picked = verts[:, ::3]
    seen = torch.stack([picked[..., 0] - 0.6 * picked[..., 1], picked[..., 2] + 0.5 * picked[..., 1]], dim=-1)
    seen = seen + 0.03 * torch.randn(seen.shape)
    return seen.flatten(1), verts


class MeshNet(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_in, 128), nn.LeakyReLU(0.1), nn.Linear(128, 128), nn.LeakyReLU(0.1)
        )
        self.shape_head = nn.Linear(128, N_VERTS * 3)
        # training starts from the mean shape
        nn.init.zeros_(self.shape_head.weight)
        nn.init.zeros_(self.shape_head.bias)

    def forward(self, x):
        offset = self.shape_head(self.encoder(x)).view(-1, N_VERTS, 3)
        return mean_shape + offset


def edge_lengths(verts):
    corners = verts[:, faces]                                    # B x F x 3 x 3
    edges = corners - corners.roll(1, dims=2)
    return torch.sqrt((edges ** 2).sum(dim=-1) + 1e-6)


target_lengths = edge_lengths(mean_shape[None])


def triangle_loss(verts):
    return ((edge_lengths(verts) - target_lengths) ** 2).mean()


x, y = make_objects(N_OBJECTS)
x_train, y_train, x_test, y_test = x[N_TEST:], y[N_TEST:], x[:N_TEST], y[:N_TEST]
centre, scale = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - centre) / scale, (x_test - centre) / scale

net = MeshNet(x.shape[1])
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


def test_error():
    net.eval()
    with torch.no_grad():
        return ((net(x_test) - y_test) ** 2).mean().item()


for epoch in range(EPOCHS):
    net.train()
    vert_sum = tri_sum = 0.0
    steps = 0
    for rows in torch.randperm(len(x_train)).split(BATCH):
        verts = net(x_train[rows])
        vert_loss = ((verts - y_train[rows]) ** 2).mean()
        tri_loss = triangle_loss(verts)
        loss = vert_loss + 0.01 * tri_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        vert_sum += vert_loss.item()
        tri_sum += tri_loss.item()
        steps += 1
    print(f"epoch {epoch + 1:2d} | vert {vert_sum / steps:.5f} | tri {tri_sum / steps:.5f} | test {test_error():.5f}")

print(f"test mse {test_error():.5f}")
