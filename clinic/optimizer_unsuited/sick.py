"""Which of six topics is a note about? An average of word vectors, words as frequent as in speech."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

VOCABULARY, TOPICS, LENGTH = 3000, 6, 12
rng = np.random.default_rng(9)
torch.manual_seed(9)


def write(count):
    """Words follow Zipf's law; each topic has its own order of the rarer ones."""
    frequency = 1 / np.arange(10, VOCABULARY + 10) ** 0.9
    frequency /= frequency.sum()
    orders = [np.random.default_rng(100 + t).permutation(VOCABULARY) for t in range(TOPICS)]
    topics = rng.integers(TOPICS, size=count)
    ranks = rng.choice(VOCABULARY, size=(count, LENGTH), p=frequency)
    words = np.stack([orders[topic][rank] for topic, rank in zip(topics, ranks)])
    return TensorDataset(torch.from_numpy(words), torch.from_numpy(topics))


class Topics(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.words = nn.EmbeddingBag(VOCABULARY, dim, mode="mean")
        self.linear = nn.Linear(dim, TOPICS)

    def forward(self, notes):
        return self.linear(self.words(notes))


def main():
    train, test = write(4000), write(1000)
    model, criterion = Topics(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(6):
        model.train()
        for notes, topics in DataLoader(train, batch_size=64, shuffle=True):
            loss = criterion(model(notes), topics)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            scores = model(test.tensors[0])
            held_out = criterion(scores, test.tensors[1]).item()
            accuracy = (scores.argmax(1) == test.tensors[1]).float().mean().item()
        print(f"epoch {epoch + 1}: held-out loss {held_out:.3f}, accuracy {accuracy:.3f}")
    print(f"test accuracy {accuracy:.3f}")


main()
