# Word vectors on the unit sphere: they are normalised again after every step.
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(4)
VOCAB, PAD = 80, 0
meaning = torch.randn(VOCAB)


def sentences(n):
    words = [torch.randint(1, VOCAB, (int(torch.randint(3, 12, ())),)) for _ in range(n)]
    mood = torch.stack([meaning[w].mean() for w in words])
    return pad_sequence(words, batch_first=True, padding_value=PAD), (mood > 0).long()


class Mood(nn.Module):
    def __init__(self, dim=20):
        super().__init__()
        self.words = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.out = nn.Linear(dim, 2)

    def forward(self, ids):
        return self.out(self.words(ids).sum(dim=1))

    @torch.no_grad()
    def renormalise(self):
        table = self.words.weight
        table.div_(table.norm(dim=1, keepdim=True))


ids, mood = sentences(1300)
model = Mood()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(300):
    rows = torch.randint(0, 1000, (50,))
    loss = nn.functional.cross_entropy(model(ids[rows]), mood[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.renormalise()
    if step % 60 == 59:
        right = (model(ids[1000:]).argmax(1) == mood[1000:]).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.4f} right {right:.3f}")
