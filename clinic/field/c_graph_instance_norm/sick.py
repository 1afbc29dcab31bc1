"""Small random graphs: are they denser in triangles than chance? One GCN with instance normalisation per graph."""

import torch
import torch.nn.functional as F

SEED = 4
torch.manual_seed(SEED)
NODES = 12


def draw_graphs(n):
    """Adjacency matrices with padding; some graphs are a lone node."""
    y = torch.randint(0, 2, (n,))
    adjacency = torch.zeros(n, NODES, NODES)
    exists = torch.zeros(n, NODES)
    for g in range(n):
        size = int(torch.randint(6, NODES + 1, ()))
        if torch.rand(()) < 0.03:
            size, y[g] = 1, 0
        exists[g, :size] = 1
        edges = (torch.rand(size, size) < 0.12).float()
        if y[g]:  # a clique among the first few
            clique = min(size, 5)
            edges[:clique, :clique] = (torch.rand(clique, clique) < 0.55).float()
        edges = torch.triu(edges, 1)
        adjacency[g, :size, :size] = edges + edges.T
    degree = adjacency.sum(-1, keepdim=True)
    triangles = torch.diagonal(adjacency @ adjacency @ adjacency, dim1=1, dim2=2).unsqueeze(-1)
    noise = torch.randn(n, NODES, 2)
    features = torch.cat([(degree - 2) / 2, (triangles - 3) / 5, noise], dim=-1) * exists.unsqueeze(-1)
    return features, adjacency, exists, y


def instance_norm(x, exists):
    """Normalise every channel over the nodes of its graph."""
    mask = exists.unsqueeze(-1)
    count = mask.sum(dim=1, keepdim=True)
    mean = (x * mask).sum(dim=1, keepdim=True) / count
    out = (x - mean) * mask
    var = (out * out).sum(dim=1, keepdim=True) / count
    return out / (torch.sqrt(var) + 1e-5)


class GraphNet(torch.nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.conv1 = torch.nn.Linear(4, hidden)
        self.conv2 = torch.nn.Linear(hidden, hidden)
        self.readout = torch.nn.Linear(2 * hidden, 2)

    def forward(self, x, adjacency, exists):
        loops = adjacency + torch.diag_embed(exists)
        spread = loops / loops.sum(-1, keepdim=True).clamp(min=1)
        x = F.relu(self.conv1(spread @ x))
        skip = x
        x = F.relu(instance_norm(self.conv2(spread @ x), exists)) + skip
        x = x * exists.unsqueeze(-1)
        mean = x.sum(1) / exists.sum(1, keepdim=True)
        return self.readout(torch.cat([mean, x.amax(1)], dim=-1))


train, test = draw_graphs(1500), draw_graphs(500)
model = GraphNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)


def evaluate():
    model.eval()
    with torch.no_grad():
        prediction = model(*test[:3]).argmax(dim=1)
    return (prediction == test[3]).float().mean().item()


for epoch in range(1, 16):
    model.train()
    total = 0
    for index in torch.randperm(1500).split(50):
        optimizer.zero_grad()
        out = model(*(part[index] for part in train[:3]))
        loss = F.cross_entropy(out, train[3][index])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(index)
    if epoch % 3 == 0:
        print(f"Epoch: {epoch:02d}, Loss: {total / 1500:.4f}, Test: {evaluate():.4f}")

print(f"test accuracy {evaluate():.4f}")
