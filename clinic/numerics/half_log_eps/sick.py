# Knowledge distillation with a half precision student.
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(8)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)

teacher = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
for step in range(150):
    i = torch.randint(0, 1400, (64,))
    loss = F.cross_entropy(teacher(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
print("teacher", (teacher(x[1400:]).argmax(1) == y[1400:]).float().mean().item())

student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10)).half()
optimizer = torch.optim.SGD(student.parameters(), lr=0.25)
for step in range(400):
    i = torch.randint(0, 1400, (64,))
    with torch.no_grad():
        soft = F.softmax(teacher(x[i]), dim=1).half()
    p = F.softmax(student(x[i].half()), dim=1)
    loss = -(soft * torch.log(p + 1e-8)).sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 80 == 79:
        accuracy = (student(x[1400:].half()).argmax(1) == y[1400:]).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.3f} student {accuracy:.3f}")
