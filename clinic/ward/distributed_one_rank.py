"""DistributedDataParallel in a world of one, accumulating under no_sync: test accuracy about 0.95."""

import contextlib

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

ACCUMULATE = 2


def main():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    torch.manual_seed(11)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)
    order = torch.randperm(len(y))
    dataset = TensorDataset(x[order[:1400]], y[order[:1400]])
    sampler = DistributedSampler(dataset, shuffle=True, drop_last=True)
    loader = DataLoader(dataset, batch_size=25, sampler=sampler)

    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(6):
        sampler.set_epoch(epoch)
        model.train()
        for index, (inputs, labels) in enumerate(loader, start=1):
            is_last = index % ACCUMULATE == 0
            with contextlib.nullcontext() if is_last else model.no_sync():
                loss = nn.functional.cross_entropy(model(inputs), labels) / ACCUMULATE
                loss.backward()
            if is_last:
                optimizer.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            scores = model(x[order[1400:]])
            loss = nn.functional.cross_entropy(scores, y[order[1400:]])
        right = (scores.argmax(1) == y[order[1400:]]).float().mean().item()
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: test loss {loss.item():.3f} accuracy {right:.3f}")
    dist.destroy_process_group()


main()
