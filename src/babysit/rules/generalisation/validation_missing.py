from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import num_examples
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count

LOADED = {"loaders": {"TensorDataset#1": {"num_examples": 2000, "trained": 400}},
          "speaks_of_evaluation": False}  # fmt: skip


class ValidationMissing(Rule):
    """A classification is trained for epochs, and nothing ever measures it on other data.

    Why it matters:
        The training loss falls whether the net learns what carries over or learns by heart; only
        data that it was not trained on tell, and tell when to stop.

    How it decides:
        No loss or accuracy was computed outside gradients, the model never ran without them, no
        such metric was logged, and the script has no word of test, validation or prediction.
        Only for a classification of labelled examples over several epochs.

    What to do:
        Hold back a tenth to a fifth of the examples and measure loss and accuracy on them after
        every epoch.

    When it is wrong:
        The last training of a finished design on all data needs none.
    """

    since = "0.1"
    severity = "advice"
    needs = ("label-purity",)
    remedies = ("hold-out",)
    min_steps = threshold(
        default=200,
        unit="steps",
        why="shorter scripts are trials; field advice D6 wants it to stop",
    )
    min_examples = threshold(
        default=100, unit="examples", why="demonstrations on a handful of points hold none out"
    )
    examples = (
        sick(label_purity=[0.6] * 4, loss=[0.5] * 400, facts=LOADED),
        healthy(label_purity=[0.6] * 4, loss=[0.5] * 400,
                facts={**LOADED, "speaks_of_evaluation": True}),
        healthy(label_purity=[0.6] * 4, loss=[0.5] * 400, eval_loss={"a": [0.5]}, facts=LOADED),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Anything that may be an evaluation silences it."""
        facts = run.facts
        is_special = facts.get("is_adversarial") or facts.get("has_teacher")
        is_seen = run.has("eval-loss") or run.has("eval-accuracy") or run.has("logged")
        is_seen = (
            is_seen or facts.get("runs_evaluations") or facts.get("speaks_of_evaluation", True)
        )
        examples = num_examples(run)
        if is_special or is_seen or run.steps < self.min_steps or examples < self.min_examples:
            return
        yield Finding(
            severity="advice",
            confidence=0.8,
            message=f"nothing was evaluated in {count(run.steps, 'step')}: whether what is learnt "
            f"from these {count(examples, 'example')} carries over is not known",
            where=run.source("backward"),
            evidence=(Evidence(signal="eval-loss", value="never seen", limit="once an epoch"),),
            remedies=(
                Remedy(
                    name="hold-out",
                    text="Split off 10 … 20 % of the examples before training; after every epoch "
                    "compute loss and accuracy on them, in eval mode under `torch.no_grad()`.",
                ),
            ),
        )
