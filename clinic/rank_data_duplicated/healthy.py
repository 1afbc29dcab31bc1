import os
import tempfile

import torch
import torch.distributed as dist
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(64, 64)
        self.fc2 = torch.nn.Linear(64, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def worker(rank, world_size, path):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=path, rank=rank, world_size=world_size)
    torch.manual_seed(77)

    digits = load_digits()
    images = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels))
    train, test = order[:1440], order[1440:]
    dataset = TensorDataset(images[train], labels[train])
    sampler = DistributedSampler(dataset, shuffle=True)
    loader = DataLoader(dataset, batch_size=24, sampler=sampler)

    model = DistributedDataParallel(Net())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        seen = 0
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(y)
        with torch.no_grad():
            scores = model.module(images[test])
            test_loss = F.cross_entropy(scores, labels[test])
            accuracy = (scores.argmax(1) == labels[test]).float().mean()
        if rank == 0:
            print(
                f"epoch {epoch + 1}: {seen} images per process, test loss {test_loss:.3f}, "
                f"accuracy {accuracy:.3f}"
            )
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        path = "file://" + os.path.join(directory, "rendezvous")
        helper = torch.multiprocessing.get_context("fork").Process(target=worker, args=(1, 2, path))
        helper.start()
        worker(0, 2, path)
        helper.join()
