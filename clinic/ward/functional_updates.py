"""Logistic regression whose tensors are re-created at every step: breast cancer test accuracy about 0.97."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def load():
    data, target = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        data, target, test_size=0.3, stratify=target, random_state=0
    )
    mean, std = x.mean(axis=0), x.std(axis=0)
    arrays = ((x - mean) / std, (x_test - mean) / std, y, y_test)
    return [torch.tensor(a, dtype=torch.float32) for a in arrays]


def predict(w, b, x):
    return x @ w + b


def objective(w, b, x, y, decay=0.01):
    z = predict(w, b, x)
    data_term = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
    return data_term + decay * w.square().sum()


def main():
    torch.manual_seed(0)
    x, x_test, y, y_test = load()
    w = (0.01 * torch.randn(x.shape[1])).requires_grad_()
    b = torch.zeros((), requires_grad=True)
    lr = 0.1
    for step in range(600):
        rows = torch.randint(len(x), (64,))
        loss = objective(w, b, x[rows], y[rows])
        loss.backward()
        w = (w - lr * w.grad).detach().requires_grad_()
        b = (b - lr * b.grad).detach().requires_grad_()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}")

    with torch.no_grad():
        print(
            f"objective: train {objective(w, b, x, y):.4f} test {objective(w, b, x_test, y_test):.4f}"
        )
        hits = (predict(w, b, x_test) > 0) == (y_test > 0.5)
    print(f"test accuracy {hits.float().mean().item():.4f}")


if __name__ == "__main__":
    main()
