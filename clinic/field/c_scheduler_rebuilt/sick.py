"""Depth from several views: a single-view teacher guides the student for some epochs, then it is frozen."""

import torch
import torch.nn as nn
import torch.optim as optim

SEED = 3
torch.manual_seed(SEED)

VIEW = 4  # features of one view


def world(n):
    views = torch.randn(n, 2, VIEW)
    a, b = views[:, 0], views[:, 1]
    near = torch.sin(a[:, 0]) + 0.5 * torch.tanh(a[:, 1])
    parallax = torch.tanh(a[:, 3] - b[:, 3]) + 0.3 * b[:, 0]
    depth = (near + parallax) / 1.2
    return views, depth.unsqueeze(1) + 0.05 * torch.randn(n, 1)


def mlp(inputs):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ELU(),
        nn.Linear(64, 64), nn.ELU(),
        nn.Linear(64, 1),
    )


class Trainer:
    learning_rate = 1e-2
    scheduler_step_size = 8
    freeze_teacher_epoch = 7
    num_epochs = 14
    batch_size = 20

    def __init__(self):
        self.train_views, self.train_depth = world(2000)
        self.val_views, self.val_depth = world(800)
        self.teacher = mlp(VIEW)
        self.student = mlp(2 * VIEW)
        self.train_teacher = True
        self.set_optimizer([*self.student.parameters(), *self.teacher.parameters()])

    def set_optimizer(self, parameters_to_train):
        self.model_optimizer = optim.Adam(parameters_to_train, self.learning_rate)
        self.model_lr_scheduler = optim.lr_scheduler.StepLR(self.model_optimizer, self.scheduler_step_size, 0.1)

    def freeze_teacher(self):
        self.train_teacher = False
        for parameter in self.teacher.parameters():
            parameter.requires_grad = False
        self.teacher.eval()
        self.set_optimizer(list(self.student.parameters()))

    def train(self):
        for self.epoch in range(self.num_epochs):
            if self.epoch == self.freeze_teacher_epoch:
                self.freeze_teacher()
            self.run_epoch()
            if self.epoch % 2 == 1:
                print(f"epoch {self.epoch:2d} train {self.losses:.4f} val {self.validate():.4f}")

    def run_epoch(self):
        self.student.train()
        self.losses = 0.0
        chunks = torch.randperm(len(self.train_views)).split(self.batch_size)
        for rows in chunks:
            loss = self.process_batch(self.train_views[rows], self.train_depth[rows])
            self.model_optimizer.zero_grad()
            loss.backward()
            self.model_optimizer.step()
            self.losses += loss.item() / len(chunks)
        self.model_lr_scheduler.step()

    def process_batch(self, views, depth):
        prediction = self.student(views.flatten(1))
        loss = (prediction - depth).pow(2).mean()
        if self.train_teacher:
            mono = self.teacher(views[:, 0])
            consistency = (prediction - mono.detach()).abs().mean()
            loss = loss + (mono - depth).pow(2).mean() + 0.01 * consistency
        return loss

    @torch.no_grad()
    def validate(self):
        self.student.eval()
        return (self.student(self.val_views.flatten(1)) - self.val_depth).pow(2).mean().item()


trainer = Trainer()
trainer.train()
print(f"test mse {trainer.validate():.4f}")
