"""Films and viewers: factorise a table of ratings of which one in three is known."""

import torch

torch.manual_seed(33)
generator = torch.Generator().manual_seed(33)
VIEWERS, FILMS, TASTES = 200, 150, 3

tastes = torch.randn(VIEWERS, 3, generator=generator)
traits = torch.randn(FILMS, 3, generator=generator)
table = tastes @ traits.T / 3**0.5
known = torch.rand(VIEWERS, FILMS, generator=generator) < 0.35
viewer, film = known.nonzero(as_tuple=True)
rating = table[viewer, film] + 0.2 * torch.randn(len(viewer), generator=generator)
mixed = torch.randperm(len(viewer), generator=generator)
train, held_out = mixed[: int(0.85 * len(mixed))], mixed[int(0.85 * len(mixed)) :]

storage = dict(dtype=torch.bfloat16)
users = torch.nn.Parameter(torch.randn(VIEWERS, TASTES, generator=generator).div(1.4).to(**storage))
items = torch.nn.Parameter(torch.randn(FILMS, TASTES, generator=generator).div(1.4).to(**storage))
optimizer = torch.optim.AdamW([users, items], lr=3e-3, weight_decay=0.1)


def squared_error(chosen):
    guess = (users[viewer[chosen]] * items[film[chosen]]).sum(dim=1)
    return (guess.float() - rating[chosen]).square().mean()


for epoch in range(36):
    order = train[torch.randperm(len(train), generator=generator)]
    for chosen in order.split(100):
        optimizer.zero_grad()
        loss = squared_error(chosen)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = squared_error(held_out).item()
    if epoch % 6 == 5:
        print(f"pass {epoch + 1:2d}: held-out error {error:.3f} (guessing: {rating.var():.3f})")
