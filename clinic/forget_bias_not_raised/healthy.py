"""Say at the end of a long noisy sequence which symbol was shown at its beginning."""

import torch
import torch.nn as nn

torch.manual_seed(5)
LENGTH, SHOWN, SYMBOLS, HIDDEN = 110, 8, 4, 24


def make_batch(size):
    symbols = torch.randint(0, SYMBOLS, (size,))
    sequences = torch.zeros(size, LENGTH, SYMBOLS + 1)
    sequences[:, :, SYMBOLS] = 0.2 * torch.randn(size, LENGTH)
    sequences[torch.arange(size), :SHOWN, symbols] = 3.0
    return sequences, symbols


class Remember(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(SYMBOLS + 1, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, SYMBOLS)
        with torch.no_grad():
            self.lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN].fill_(4.0)

    def forward(self, sequences):
        outputs, _ = self.lstm(sequences)
        return self.out(outputs[:, -1])


model = Remember()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
test_x, test_y = make_batch(200)
for step in range(1, 241):
    x, y = make_batch(32)
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 60 == 0:
        model.eval()
        with torch.no_grad():
            scores = model(test_x)
            print(f"step {step} test loss {loss_fn(scores, test_y).item():.3f}")
        model.train()

print(f"test accuracy {(scores.argmax(1) == test_y).float().mean().item():.3f}")
