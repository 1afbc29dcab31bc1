"""Sort short reviews of different lengths by tone: embeddings averaged over the words."""

import random

import torch
import torch.nn.functional as F
from torch import nn

random.seed(4)
torch.manual_seed(4)
PAD = 0
NEUTRAL = "the a film story plot was it and very rather this that scene actor end".split()
TONES = [
    "good great lovely warm funny bright clever charming".split(),
    "bad dull awful cold boring dark clumsy tedious".split(),
    "long short old new loud quiet quick slow".split(),
]
VOCABULARY = {word: i + 1 for i, word in enumerate(NEUTRAL + sum(TONES, []))}


def write_review():
    tone = random.randrange(3)
    words = random.choices(NEUTRAL, k=random.randint(4, 12))
    words += random.choices(TONES[tone], k=random.randint(1, 3))
    words += random.choices(TONES[random.randrange(3)], k=1)
    random.shuffle(words)
    return [VOCABULARY[word] for word in words], tone


def collate(reviews):
    longest = max(len(words) for words, _ in reviews)
    tokens = [words + [PAD] * (longest - len(words)) for words, _ in reviews]
    return torch.tensor(tokens), torch.tensor([tone for _, tone in reviews])


class ToneModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY) + 1, 16, padding_idx=PAD)
        self.hidden = nn.Linear(16, 32)
        self.head = nn.Linear(32, len(TONES))

    def forward(self, tokens):
        mask = (tokens == PAD).float().unsqueeze(2)
        mean = (self.embedding(tokens) * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.head(F.gelu(self.hidden(mean)))


train, test = ([write_review() for _ in range(size)] for size in (1500, 400))
model = ToneModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
test_tokens, test_tones = collate(test)

for epoch in range(8):
    random.shuffle(train)
    for start in range(0, len(train), 50):
        tokens, tones = collate(train[start : start + 50])
        loss = F.cross_entropy(model(tokens), tones)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(test_tokens)
        test_loss = F.cross_entropy(scores, test_tones)
        accuracy = (scores.argmax(1) == test_tones).float().mean()
    print(f"epoch {epoch} test loss {test_loss:.3f}")

print(f"test accuracy {accuracy:.3f}")
