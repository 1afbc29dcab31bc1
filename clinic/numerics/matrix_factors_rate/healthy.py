# Matrix factorisation of ratings, full batch.
import torch

torch.manual_seed(5)
people, films, rank = 60, 90, 5
truth = torch.randn(people, rank) @ torch.randn(rank, films)
seen = torch.rand(people, films) < 0.5
ratings = truth + 0.1 * torch.randn(people, films)

P = (0.3 * torch.randn(people, rank)).requires_grad_()
Q = (0.3 * torch.randn(rank, films)).requires_grad_()
optimizer = torch.optim.SGD([P, Q], lr=0.003)

for it in range(150):
    guess = P @ Q
    error = (guess - ratings)[seen]
    loss = error.pow(2).sum() + 0.1 * (P.pow(2).sum() + Q.pow(2).sum())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 30 == 29 or it < 3:
        hidden = (P @ Q - ratings)[~seen].pow(2).mean().item()
        print(f"{it + 1}: loss {loss.item():.3f} hidden ratings {hidden:.3f}")
