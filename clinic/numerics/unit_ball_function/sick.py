import torch
from torch import nn
from torch.autograd import Function

torch.manual_seed(2)


class ScaleToUnit(Function):
    """Rows are divided by their largest absolute value."""

    @staticmethod
    def forward(ctx, x):
        top = x.abs().amax(dim=1, keepdim=True)
        ctx.save_for_backward(top)
        return x / top.clamp_min(1e-8)

    @staticmethod
    def backward(ctx, grad):
        (top,) = ctx.saved_tensors
        return grad / top


class Autoencoder(nn.Module):
    def __init__(self, n_in, n_code):
        super().__init__()
        self.enc = nn.Linear(n_in, n_code, bias=False)
        self.dec = nn.Linear(n_code, n_in)

    def forward(self, x):
        code = ScaleToUnit.apply(self.enc(x))
        return self.dec(code)


basis = torch.rand(6, 30)
signals = torch.softmax(4 * torch.randn(1500, 6), dim=1) @ basis
signals[torch.rand(1500) < 0.002] = 0.0  # microphone off
model = Autoencoder(30, 5)
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)

for step in range(500):
    batch = signals[torch.randint(1300, (25,))]
    loss = nn.functional.mse_loss(model(batch), batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        with torch.no_grad():
            test = nn.functional.mse_loss(model(signals[1300:]), signals[1300:])
        print(f"step {step + 1}: train {loss.item():.5f} test {test.item():.5f}")
