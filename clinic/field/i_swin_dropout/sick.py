# window attention on the 8x8 digits, 2 stages: where is the ink's centre, how wide is it spread?
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, Tensor

SEED = 12


def shifted_window_attention(x: Tensor, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor,
                             window: int, heads: int, shift: int, attention_dropout: float = 0.0,
                             dropout: float = 0.0, training: bool = True) -> Tensor:
    B, H, W, C = x.shape
    if shift:
        x = torch.roll(x, (-shift, -shift), (1, 2))
    nh, nw = H // window, W // window
    x = x.view(B, nh, window, nw, window, C).permute(0, 1, 3, 2, 4, 5).reshape(B * nh * nw, window * window, C)
    qkv = F.linear(x, qkv_weight, qkv_bias)
    q, k, v = qkv.view(x.shape[0], x.shape[1], 3, heads, C // heads).permute(2, 0, 3, 1, 4)
    attn = (q * (C // heads) ** -0.5) @ k.transpose(-2, -1)
    attn = F.softmax(attn, dim=-1)
    attn = F.dropout(attn, p=attention_dropout, training=training)
    x = (attn @ v).transpose(1, 2).reshape(x.shape)
    x = F.linear(x, proj_weight, proj_bias)
    x = F.dropout(x, p=dropout, training=training)
    x = x.view(B, nh, nw, window, window, C).permute(0, 1, 3, 2, 4, 5).reshape(B, H, W, C)
    if shift:
        x = torch.roll(x, (shift, shift), (1, 2))
    return x


class WindowAttention(nn.Module):
    def __init__(self, dim, window, heads, shift, attention_dropout, dropout):
        super().__init__()
        self.window, self.heads, self.shift = window, heads, shift
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        return shifted_window_attention(
            x, self.qkv.weight, self.qkv.bias, self.proj.weight, self.proj.bias,
            self.window, self.heads, self.shift,
            attention_dropout=self.attention_dropout, dropout=self.dropout,
        )


class Block(nn.Module):
    def __init__(self, dim, window, heads, shift, drop):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads, shift, drop, drop)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TinySwin(nn.Module):
    def __init__(self, dim=24, drop=0.3):
        super().__init__()
        self.patch = nn.Conv2d(1, dim, 2, 2)                       # 8x8 -> 4x4 tokens
        self.stage1 = nn.Sequential(Block(dim, 2, 3, 0, drop), Block(dim, 2, 3, 1, drop))
        self.merge = nn.Linear(4 * dim, 2 * dim)                   # 4x4 -> 2x2 tokens
        self.stage2 = Block(2 * dim, 2, 4, 0, drop)
        self.norm = nn.LayerNorm(2 * dim)
        self.head = nn.Linear(2 * dim, 4)

    def forward(self, x):
        x = self.stage1(self.patch(x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], dim=-1)
        x = self.stage2(self.merge(x))
        return self.head(self.norm(x.mean((1, 2))))


if __name__ == "__main__":
    torch.manual_seed(SEED)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    at = torch.arange(8.0)
    ink = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    row, col = ink.sum(2), ink.sum(1)
    cy, cx = row @ at, col @ at
    labels = torch.stack([cy, cx, row @ at ** 2 - cy ** 2, col @ at ** 2 - cx ** 2], dim=1)
    idx = torch.from_numpy(np.random.RandomState(SEED).permutation(len(labels)))
    tr, te = idx[:1300], idx[1300:]
    images = (images - images[tr].mean()) / images[tr].std()

    labels = (labels - labels[tr].mean(0)) / labels[tr].std(0)

    model = TinySwin()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    for epoch in range(9):
        model.train()
        total = 0.0
        for b in tr[torch.randperm(len(tr))].split(64):
            loss = F.mse_loss(model(images[b]), labels[b])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            total += loss.item() * len(b)
        model.eval()
        with torch.inference_mode():
            out = model(images[te])
            val = F.mse_loss(out, labels[te]).item()
        print(f"epoch {epoch} train {total / len(tr):.3f} val {val:.3f}")
    print(f"test mse {val:.4f}")
