"""Tell the topic of a short text, a bag of word numbers, by averaged word embeddings."""

import torch
import torch.nn as nn

NUM_WORDS, NUM_TOPICS, LENGTH = 300, 4, 20


def write_texts(count, topic_words):
    """Every topic uses all words, but prefers some."""
    topics = torch.randint(0, NUM_TOPICS, (count,))
    texts = torch.multinomial(topic_words[topics], LENGTH, replacement=True)
    return texts, topics


class TopicModel(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.embedding = nn.Embedding(NUM_WORDS, dim)
        self.norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(dim, NUM_TOPICS)

    def forward(self, texts):
        return self.linear(self.norm(self.embedding(texts).mean(dim=1)))


def train(model, texts, topics, epochs=12, batch_size=50):
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        permutation = torch.randperm(len(texts))
        epoch_loss = 0.0
        for start in range(0, len(texts), batch_size):
            batch = permutation[start : start + batch_size]
            optimizer.zero_grad()
            loss = loss_fn(model(texts[batch]), topics[batch])
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(batch)
        print(f"epoch {epoch + 1:2d} loss {epoch_loss / len(texts):.3f}")


def main():
    torch.manual_seed(10)
    topic_words = torch.rand(NUM_TOPICS, NUM_WORDS).pow(2)
    train_texts, train_topics = write_texts(2000, topic_words)
    test_texts, test_topics = write_texts(500, topic_words)
    model = TopicModel()
    train(model, train_texts, train_topics)
    model.eval()
    with torch.no_grad():
        hits = model(test_texts).argmax(dim=1) == test_topics
    print(f"test accuracy {hits.float().mean().item():.3f}")


main()
