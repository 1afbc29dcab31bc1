"""Named-entity style tagging with a recurrent encoder and a CRF; two learning rates."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 11
torch.manual_seed(SEED)

VOCAB, TAGS, LENGTH = 40, 5, 12


def make_sentences(n, gen):
    """Tags follow a sticky cycle; each tag prefers its own words, a third of the words are common."""
    tags = torch.empty(n, LENGTH, dtype=torch.long)
    tags[:, 0] = torch.randint(0, TAGS, (n,), generator=gen)
    for t in range(1, LENGTH):
        move = torch.rand(n, generator=gen)
        tags[:, t] = torch.where(move < 0.85, (tags[:, t - 1] + 1) % TAGS, tags[:, t - 1])
    own = tags * 5 + torch.randint(0, 5, (n, LENGTH), generator=gen)
    common = torch.randint(25, VOCAB, (n, LENGTH), generator=gen)
    words = torch.where(torch.rand(n, LENGTH, generator=gen) < 0.35, common, own)
    return words, tags


gen = torch.Generator().manual_seed(SEED)
train_words, train_tags = make_sentences(800, gen)
test_words, test_tags = make_sentences(400, gen)
loader = DataLoader(TensorDataset(train_words, train_tags), batch_size=32, shuffle=True)


class CRF(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.transitions = nn.Parameter(torch.empty(tags, tags).uniform_(-0.1, 0.1))

    def neg_log_likelihood(self, emissions, tags):
        gold = emissions.gather(2, tags[..., None]).sum((1, 2))
        gold = gold + self.transitions[tags[:, :-1], tags[:, 1:]].sum(1)
        alpha = emissions[:, 0]
        for t in range(1, emissions.size(1)):
            alpha = torch.logsumexp(alpha[:, :, None] + self.transitions, dim=1) + emissions[:, t]
        return (torch.logsumexp(alpha, dim=1) - gold).mean() / emissions.size(1)

    def decode(self, emissions):
        score, back = emissions[:, 0], []
        for t in range(1, emissions.size(1)):
            best, arg = (score[:, :, None] + self.transitions).max(dim=1)
            score = best + emissions[:, t]
            back.append(arg)
        path = [score.argmax(1)]
        for arg in reversed(back):
            path.append(arg.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], dim=1)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 24)
        self.encoder = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(48, TAGS)
        self.crf = CRF(TAGS)

    def emissions(self, words):
        hidden, _ = self.encoder(self.embed(words))
        return self.fc(hidden)


model = Tagger()

params = []
group = {"params": [], "lr": 3e-4}
for name, param in model.named_parameters():
    if "embed" in name or "encoder" in name:
        group["params"].append(param)
params.append(group)

group = {"params": [], "lr": 1e-2}
for name, param in model.named_parameters():
    if "crf" in name or name.startswith("fc"):
        group["params"].append(param)
params.append(group)

optimizer = torch.optim.AdamW(params, weight_decay=0.01)

for epoch in range(10):
    model.train()
    losses = []
    for words, tags in loader:
        loss = model.crf.neg_log_likelihood(model.emissions(words), tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        found = model.crf.decode(model.emissions(test_words))
    accuracy = (found == test_tags).float().mean().item()
    print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, tag accuracy {accuracy:.3f}")

print(f"test accuracy {accuracy:.3f}")
