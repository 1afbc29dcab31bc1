# A character model; every epoch it is decoded by beam search with -inf scores.
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(9)
WORDS = ["banana", "bandana", "cabana", "canada", "nadir"]
LETTERS = "^$" + "".join(sorted(set("".join(WORDS))))
codes = [[0, *(LETTERS.index(c) for c in w), 1] for w in WORDS]
width = max(map(len, codes))
table = torch.tensor([c + [1] * (width - len(c)) for c in codes])


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), 12)
        self.gru = nn.GRU(12, 24, batch_first=True)
        self.out = nn.Linear(24, len(LETTERS))

    def forward(self, x):
        return self.out(self.gru(self.embed(x))[0])


@torch.no_grad()
def beam_search(model, beams=3):
    score = torch.full((beams,), float("-inf"))
    score[0] = 0.0
    text = torch.zeros(beams, 1, dtype=torch.long)
    for _ in range(width - 1):
        log_p = model(text)[:, -1].log_softmax(dim=1)
        ended = text[:, -1] == 1
        log_p[ended] = float("-inf")
        log_p[ended, 1] = 0.0
        total = (score.unsqueeze(1) + log_p).flatten()
        score, index = total.topk(beams)
        text = torch.cat([text[index // len(LETTERS)], (index % len(LETTERS)).unsqueeze(1)], dim=1)
    return ["".join(LETTERS[c] for c in row if c > 1) for row in text.tolist()]


model = Speller()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(100):
    rows = table[torch.randint(len(WORDS), (16,))]
    loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 20 == 19:
        print(f"epoch {epoch + 1} loss {loss.item():.3f}", *beam_search(model))
