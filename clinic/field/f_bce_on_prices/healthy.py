from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
import torch

SEED = 21
torch.manual_seed(SEED)

# progression of the disease after one year from ten measurements, all in their own units
data = load_diabetes(scaled=False)
a, b, c, d = train_test_split(data.data, data.target, test_size=0.25, random_state=SEED)
x_train, x_test = torch.from_numpy(a).float(), torch.from_numpy(b).float()
y_train, y_test = torch.from_numpy(c).float().view(-1, 1), torch.from_numpy(d).float().view(-1, 1)

x_mean, x_std = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - x_mean) / x_std, (x_test - x_mean) / x_std
y_mean, y_std = y_train.mean(), y_train.std()
y_train = (y_train - y_mean) / y_std

regressor = torch.nn.Sequential(
    torch.nn.Linear(10, 32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 16),
    torch.nn.ReLU(),
    torch.nn.Linear(16, 1),
)
loss_function = torch.nn.MSELoss()
sgd = torch.optim.SGD(regressor.parameters(), lr=0.01)


def train_one_epoch():
    regressor.train()
    s = 0.0
    for chunk in torch.randperm(x_train.shape[0]).chunk(10):
        loss = loss_function(regressor(x_train[chunk]), y_train[chunk])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        s += loss.item()
    return s / 10


@torch.no_grad()
def evaluate():
    regressor.eval()
    guess = regressor(x_test) * y_std + y_mean
    return (guess - y_test).abs().mean().item()


for epoch in range(60):
    l = train_one_epoch()
    if epoch % 6 == 0:
        print("epoch", epoch, "loss", round(l, 4), "mae", round(evaluate(), 3))
print("test mae", round(evaluate(), 3))
