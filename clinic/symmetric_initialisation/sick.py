# A two-layer network written out by hand, with hand-made gradient descent.
import torch
from sklearn.datasets import load_digits


def weights(fan_in, fan_out):
    return torch.ones(fan_in, fan_out) / fan_in**0.5


torch.manual_seed(14)

digits = load_digits()
inputs = torch.tensor(digits.data, dtype=torch.float32)
inputs = (inputs - inputs.mean()) / inputs.std()
labels = torch.tensor(digits.target)
shuffled = torch.randperm(len(inputs))
train, test = shuffled[:1300], shuffled[1300:]

w1 = weights(64, 40).requires_grad_()
b1 = torch.zeros(40, requires_grad=True)
w2 = weights(40, 10).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)


def predict(x):
    hidden = torch.tanh(x @ w1 + b1)
    return torch.log_softmax(hidden @ w2 + b2, dim=1)


learning_rate = 0.1
for step in range(1, 501):
    batch = train[torch.randint(len(train), (50,))]
    log_probability = predict(inputs[batch])
    loss = -log_probability.gather(1, labels[batch].unsqueeze(1)).mean()
    loss.backward()
    with torch.no_grad():
        for tensor in (w1, b1, w2, b2):
            tensor -= learning_rate * tensor.grad
            tensor.grad.zero_()
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.3f}")

with torch.no_grad():
    accuracy = (predict(inputs[test]).argmax(1) == labels[test]).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
