"""Digits again, this time with a hand-written cross-entropy and its own backward pass."""

import torch
from sklearn.datasets import load_digits
from torch import nn

SEED = 3
torch.manual_seed(SEED)


class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, labels):
        scores = scores - scores.max(dim=1, keepdim=True).values
        log_probabilities = scores - scores.exp().sum(dim=1, keepdim=True).log()
        ctx.save_for_backward(log_probabilities.exp(), labels)
        return -log_probabilities.gather(1, labels.unsqueeze(1)).mean()

    @staticmethod
    def backward(ctx, grad_output):
        probabilities, labels = ctx.saved_tensors
        one_hot = nn.functional.one_hot(labels, probabilities.shape[1]).to(probabilities.dtype)
        return grad_output * (probabilities - one_hot) / len(labels), None


digits = load_digits()
order = torch.randperm(len(digits.target))
images = torch.tensor(digits.images, dtype=torch.float32)[order].unsqueeze(1)
images = (images - images[:1300].mean()) / images[:1300].std()
labels = torch.tensor(digits.target)[order]

model = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(192, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def accuracy():
    model.eval()
    with torch.no_grad():
        return (model(images[1300:]).argmax(dim=1) == labels[1300:]).double().mean().item()


for epoch in range(8):
    model.train()
    running = 0.0
    for batch in torch.randperm(1300).split(50):
        loss = SoftmaxCrossEntropy.apply(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch}: loss {running / 26:.4f}, accuracy {accuracy():.3f}")

print(f"test accuracy {accuracy():.3f}")
