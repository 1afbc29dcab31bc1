"""Small student of a frozen teacher's soft answers on digits: test accuracy about 0.96."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def mlp(width):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def distillation_loss(student_logits, teacher_logits, labels, temperature=3.0, alpha=0.8):
    soft = F.kl_div(
        F.log_softmax(student_logits / temperature, dim=1),
        F.softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(dim=1) == y).float().mean().item()


def main():
    torch.manual_seed(20)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)
    order = torch.randperm(len(y))
    x, y = x[order], y[order]
    x_test, y_test = x[1300:], y[1300:]
    loader = DataLoader(TensorDataset(x[:1300], y[:1300]), batch_size=50, shuffle=True)

    teacher = mlp(width=100)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=2e-3)
    for _ in range(8):
        for inputs, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(teacher(inputs), labels).backward()
            optimizer.step()
    teacher.eval().requires_grad_(False)
    print(f"teacher: {accuracy(teacher, x_test, y_test):.3f}")

    student = mlp(width=24)
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    for epoch in range(1, 13):
        student.train()
        for inputs, labels in loader:
            loss = distillation_loss(student(inputs), teacher(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 4 == 0:
            print(f"student after epoch {epoch}: {accuracy(student, x_test, y_test):.3f}")
    print(f"test accuracy of the student {accuracy(student, x_test, y_test):.3f}")


if __name__ == "__main__":
    main()
