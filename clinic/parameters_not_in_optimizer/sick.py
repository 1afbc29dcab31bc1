import torch
from torch import nn

VOCABULARY = 10
LENGTH = 8


class Encoder(nn.Module):
    """A small transformer that summarises a sequence of tokens."""

    def __init__(self, dim=32):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, dim)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, dim))
        layer = nn.TransformerEncoderLayer(
            dim, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)

    def forward(self, tokens):
        return self.layers(self.token(tokens) + self.position).mean(dim=1)


def sample(count):
    """Random sequences of tokens; does the first one come again."""
    tokens = torch.randint(0, VOCABULARY, (count, LENGTH))
    labels = (tokens[:, 1:] == tokens[:, :1]).any(dim=1).long()
    return tokens, labels


def main():
    torch.manual_seed(11)
    encoder = Encoder()
    classifier = nn.Linear(32, 2)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=5e-3, weight_decay=0.01)
    criterion = nn.CrossEntropyLoss()
    test_tokens, test_labels = sample(500)

    for step in range(1, 301):
        tokens, labels = sample(64)
        loss = criterion(classifier(encoder(tokens)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}")

    encoder.eval()
    with torch.no_grad():
        predicted = classifier(encoder(test_tokens)).argmax(dim=-1)
    print(f"test accuracy {(predicted == test_labels).float().mean().item():.3f}")


if __name__ == "__main__":
    main()
