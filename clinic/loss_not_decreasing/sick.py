import torch
import torch.nn.functional as F
from torch import nn


class MotifNet(nn.Module):
    """Finds which of four short motifs is hidden in a noisy signal."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, kernel_size=7, padding=3),
            nn.ReLU(),
            nn.Conv1d(16, 16, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(16, 4)

    def forward(self, signal):
        return F.log_softmax(self.head(self.body(signal)), dim=-1)


def make_signals(count, motifs, length=48):
    signals = 0.5 * torch.randn(count, 1, length)
    labels = torch.randint(len(motifs), (count,))
    starts = torch.randint(length - motifs.shape[1], (count,))
    for signal, label, start in zip(signals, labels, starts):
        signal[0, start : start + motifs.shape[1]] += motifs[label]
    return signals, labels


def main():
    torch.manual_seed(17)
    motifs = 1.5 * torch.randn(4, 8).sign()
    signals, labels = make_signals(2000, motifs)
    test_signals, test_labels = make_signals(500, motifs)

    model = MotifNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(1, 9):
        order = torch.randperm(len(signals))
        batches = zip(signals[order].split(50), labels.split(50))
        losses = []
        for batch_signals, batch_labels in batches:
            loss = F.nll_loss(model(batch_signals), batch_labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}")

    model.eval()
    with torch.no_grad():
        hits = model(test_signals).argmax(dim=-1) == test_labels
    print(f"test accuracy {hits.float().mean().item():.3f}")


if __name__ == "__main__":
    main()
