"""Two processes share the work on the breast cancer data; gradients are averaged by hand."""

import tempfile

import torch
import torch.distributed as dist
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from torch import nn

WORLD = 2


def load():
    x, y = load_breast_cancer(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(scale(x), dtype=torch.float32)[order]
    y = torch.tensor(y, dtype=torch.float32)[order]
    return (x[:456], y[:456]), (x[456:], y[456:])


def average_gradients(model):
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= WORLD


def train(rank, meeting_point):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=WORLD)
    torch.manual_seed(100 + rank)  # each process draws its own batches
    (x, y), (x_test, y_test) = load()
    x, y = x[rank::WORLD], y[rank::WORLD]

    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
    for parameter in model.parameters():
        dist.broadcast(parameter.data, src=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8, weight_decay=3e-2)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(8):
        for chosen in torch.randperm(len(x)).split(19):
            optimizer.zero_grad()
            criterion(model(x[chosen]), y[chosen]).backward()
            average_gradients(model)
            optimizer.step()
        with torch.no_grad():
            scores = model(x_test)
            loss = criterion(scores, y_test)
            right = ((scores > 0) == (y_test > 0.5)).float().mean()
        if rank == 0:
            print(f"epoch {epoch}: test loss {loss:.3f}, accuracy {right:.3f}")
    dist.barrier()
    weights = [None] * WORLD
    dist.all_gather_object(weights, model[0].weight.detach().norm().item())
    if rank == 0:
        print("norm of the first layer by process:", *(f"{norm:.3f}" for norm in weights))
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        address = f"file://{folder}/meeting"
        context = torch.multiprocessing.get_context("fork")
        other = context.Process(target=train, args=(1, address))
        other.start()
        train(0, address)
        other.join()
