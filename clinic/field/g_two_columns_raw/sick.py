import csv
import io
import random
import torch

SEED = 9
random.seed(SEED)
torch.manual_seed(SEED)

# ---- the csv: time stamp within the day in seconds, sensor reading in millivolt, alarm yes/no
buf = io.StringIO()
w = csv.writer(buf)
for _ in range(600):
    sec = random.uniform(0, 86400)
    mv = random.gauss(1500, 400)
    a, b = (sec - 43200) / 20000, (mv - 1500) / 330
    alarm = int(a * a + b * b + random.gauss(0, 0.15) < 1.8)
    w.writerow([round(sec), round(mv, 1), alarm])
buf.seek(0)
rows = [[float(v) for v in r] for r in csv.reader(buf)]
random.shuffle(rows)

features = torch.tensor([r[:2] for r in rows])
target = torch.tensor([r[2:] for r in rows])
n = 450
x, y = features[:n], target[:n]
x_val, y_val = features[n:], target[n:]

model = torch.nn.Sequential(
    torch.nn.Linear(2, 196),
    torch.nn.ReLU(),
    torch.nn.Linear(196, 128),
    torch.nn.ReLU(),
    torch.nn.Linear(128, 1),
)
loss_fn = torch.nn.BCEWithLogitsLoss()
adam = torch.optim.Adam(model.parameters())


def validate():
    with torch.no_grad():
        z = model(x_val)
        return loss_fn(z, y_val).item(), ((z > 0) == (y_val > 0.5)).float().mean().item()


for epoch in range(20):
    for batch in torch.randperm(n).split(10):
        adam.zero_grad()
        loss_fn(model(x[batch]), y[batch]).backward()
        adam.step()
    if epoch % 4 == 3:
        print(epoch + 1, "val loss %.3f, val accuracy %.3f" % validate())

print("test accuracy %.3f" % validate()[1])
