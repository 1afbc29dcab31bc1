# A left-to-right hidden Markov model trained by the forward algorithm in log space.
import torch
from torch import nn

torch.manual_seed(4)
STATES, SYMBOLS, LENGTH = 4, 6, 24


def strings(n):
    borders = torch.sort(torch.randint(2, LENGTH - 2, (n, STATES - 1)), dim=1).values
    state = (torch.arange(LENGTH).view(1, -1, 1) >= borders.unsqueeze(1)).sum(dim=2)
    noise = torch.randint(0, SYMBOLS, (n, LENGTH))
    return torch.where(torch.rand(n, LENGTH) < 0.85, state, noise)


emission = nn.Parameter(0.5 * torch.randn(STATES, SYMBOLS))
transition = nn.Parameter(torch.zeros(STATES, STATES))
allowed = torch.ones(STATES, STATES).triu().bool() & torch.ones(STATES, STATES).tril(1).bool()
start = torch.full((STATES,), float("-inf"))
start[0] = 0.0


def log_likelihood(x):
    log_b = emission.log_softmax(dim=1)[:, x]  # states, batch, time
    log_a = transition.masked_fill(~allowed, float("-inf")).log_softmax(dim=1)
    log_a = log_a.masked_fill(~allowed, -1e5)
    alpha = torch.where(start.isinf(), torch.tensor(-1e5), start) + log_b[:, :, 0].T
    for t in range(1, x.shape[1]):
        alpha = torch.logsumexp(alpha.unsqueeze(2) + log_a, dim=1) + log_b[:, :, t].T
    return torch.logsumexp(alpha, dim=1)


optimizer = torch.optim.Adam([emission, transition], lr=0.05)
for step in range(120):
    loss = -log_likelihood(strings(32)).mean() / LENGTH
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 29:
        print(f"step {step + 1} negative log likelihood per symbol {loss.item():.4f}")
