"""What is read of activations, outputs, labels and inputs: against values worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import babysit
from babysit.instrument import xray
from babysit.instrument.names import Names
from babysit.instrument.readings.columns import Columns
from babysit.instrument.readings.labels import Labels, recalls
from babysit.instrument.readings.memory import Memory
from babysit.instrument.readings.outputs import Outputs
from babysit.instrument.readings.saturation import Saturation
from babysit.instrument.readings.scales import Scales
from babysit.instrument.scopes import Scopes


def look(loss: torch.Tensor, model: nn.Module) -> xray.Xray:
    names = Names()
    names.add_root(model)
    seen = xray.read(loss, step=0, scopes=Scopes(lambda *call: None), names=names)
    assert seen is not None
    return seen


def test_a_gate_and_an_output_are_no_hidden_sigmoids() -> None:
    layer, gate, out = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)
    hidden = layer(torch.randn(5, 3))
    gated = out(hidden * torch.sigmoid(gate(hidden)))
    seen = look(torch.sigmoid(gated).mean(), nn.ModuleList([layer, gate, out]))
    assert seen.wiring.hidden_squashes() == []
    plain = look(out(torch.sigmoid(hidden)).mean(), nn.ModuleList([layer, gate, out]))
    assert len(plain.wiring.hidden_squashes()) == 1


def test_units_driven_to_their_ends_count_as_saturated() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight[:2] = 1000.0  # type: ignore[operator]  # a Linear
        model[0].weight[2:] = 0.1  # type: ignore[operator]  # a Linear
    shares = Saturation().read(look(model(torch.randn(256, 2)).mean(), model))
    assert shares["saturated-share"] == {"0": 0.5}


def test_bare_weights_are_followed_from_batch_to_batch() -> None:
    weight = (1000 * torch.randn(2, 4)).requires_grad_()
    last, reading = torch.randn(4, 1, requires_grad=True), Saturation()
    for _ in range(4):  # of 32 examples each; 128 are needed
        loss = (torch.tanh(torch.randn(32, 2) @ weight) @ last).mean()
        values = reading.read(look(loss, nn.Module()))
    assert list(values["saturated-share"].values()) == [1.0]


def test_gain_and_scale_of_a_layer_follow_fan_in() -> None:
    model = nn.Sequential(nn.Linear(16, 8, bias=False))
    nn.init.constant_(model[0].weight, 0.5)  # type: ignore[arg-type]  # a Linear
    values = Scales().read(look(model(torch.full((4, 16), 3.0)).mean(), model))
    assert values == {"activation-rms": {"0": 3.0}, "layer-gain": {"0": 2.0}}


def test_constant_outputs_have_no_spread() -> None:
    model = nn.Linear(3, 1)
    targets = torch.randn(16, 1)
    flat = Outputs().read(look(nn.functional.mse_loss(model(torch.ones(16, 3)), targets), model))
    assert flat["output-spread"]["MseLoss"] < 1e-6
    assert abs(flat["target-spread"]["MseLoss"] - targets.std(correction=0).item()) < 1e-5


def test_labels_are_counted_over_batches() -> None:
    model, reading = nn.Linear(2, 3), Labels()
    for labels in ([0] * 8, [1] * 8):
        loss = nn.functional.cross_entropy(model(torch.randn(8, 2)), torch.tensor(labels))
        values = reading.read(look(loss, model))
    assert values["label-share"] == {"0": 0.5, "1": 0.5, "2": 0.0}
    assert set(values["class-recall"]) == {"0", "1"}


def test_recall_is_of_the_class_not_of_the_answers() -> None:
    batch = torch.tensor([[10.0, 10.0, 2.0], [10.0, 0.0, 2.0]])
    assert recalls(batch[None]) == {"0": 1.0, "1": 0.0}


def test_a_column_that_never_changes_is_found_and_an_intercept_is_not() -> None:
    model, reading = nn.Linear(3, 1), Columns()
    for _ in range(5):
        data = torch.randn(64, 3)
        data[:, 1] = 7.0
        values = reading.read(look(model(data).mean(), model))
    layer = next(iter(values["constant-columns"]))
    assert values["constant-columns"][layer] == 1
    assert values["first-constant-column"][layer] == 1
    intercept = Columns()
    for _ in range(5):
        data = torch.cat([torch.ones(64, 1), torch.randn(64, 2)], dim=1)
        values = intercept.read(look(model(data).mean(), model))
    assert values["constant-columns"][layer] == 0


def test_an_lstms_forget_bias_and_length_are_facts() -> None:
    model = nn.LSTM(3, 4, batch_first=True)
    with torch.no_grad():
        biases = dict(model.named_parameters())
        biases["bias_ih_l0"].zero_()
        biases["bias_hh_l0"].zero_()
        biases["bias_ih_l0"][4:8] = 2.0
    seen = look(model(torch.randn(2, 9, 3))[0].mean(), nn.ModuleDict({"memory": model}))
    Memory().read(seen)
    assert list(seen.facts["lstms"].values()) == [{"bias": 2.0, "length": 9}]


def test_a_gru_has_no_forget_bias() -> None:
    model = nn.GRU(3, 4)
    seen = look(model(torch.randn(9, 2, 3))[0].mean(), nn.ModuleDict({"memory": model}))
    Memory().read(seen)
    assert "lstms" not in seen.facts


def test_an_error_is_told_only_relative_to_targets_that_vary() -> None:
    model = nn.Linear(3, 1)
    guess, wanted = model(torch.randn(16, 3)), torch.randn(16, 1)
    varied = Outputs().read(look(nn.functional.mse_loss(guess, wanted), model))
    error = (guess - wanted).square().mean().sqrt() / wanted.std(correction=0)
    (told,) = varied["regression-error"].values()
    assert told == pytest.approx(error.item(), rel=1e-4)
    constant = Outputs().read(look(nn.functional.mse_loss(guess, torch.ones(16, 1)), model))
    assert "regression-error" not in constant and "output-spread" in constant


def test_points_between_real_and_made_ones_are_no_weights() -> None:
    """A gradient penalty differentiates by its inputs, which are leaves as weights are."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    with babysit.watch(quiet=True, store=False) as watching:
        optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
        for _ in range(30):
            real, made = torch.randn(64, 2) * 5, torch.randn(64, 2)
            points = (0.5 * real + 0.5 * made).requires_grad_()
            (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
            penalty = (slope.square().sum(1).sqrt() - 1).square().mean()
            optimizer.zero_grad()
            (critic(made).mean() - critic(real).mean() + 10 * penalty).backward()
            optimizer.step()
    assert watching.diagnosis is not None
    assert "initialisation-too-large" not in {f.rule for f in watching.diagnosis.findings}
