from __future__ import annotations

from babysit.changes.data import BlankInputs
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import WAYS, changed, end, plain, refusal
from babysit.text import number
from babysit.trial import Result

CLEAR = 0.02  # share of the blank loss, as the rule has it
SEEDS = (0, 1)


class WithoutInputs(Experiment):
    """The same training on blank inputs: what it still learns it does not learn from them (A8)."""

    question = "Does it use its inputs?"
    order = 30
    writes = ("blank-input-loss", "real-input-loss")

    def cost(self, lab: Lab) -> float:
        return 3 * lab.cost(plain(lab, 0))

    def conduct(self, lab: Lab) -> Conduct:
        real, blank = float("nan"), float("nan")
        for way in WAYS:
            results = yield [
                *(changed(lab, "plain", seed, *way) if way else plain(lab, seed) for seed in SEEDS),
                *(changed(lab, "blank", seed, BlankInputs(), *way) for seed in SEEDS),
            ]
            if (why := refusal(results)) is not None:
                return not_tried(why)
            reached = [losses_end(result) for result in results]
            with_inputs, without = reached[: len(SEEDS)], reached[len(SEEDS) :]
            real, blank = sum(with_inputs) / len(SEEDS), sum(without) / len(SEEDS)
            is_used = blank - real > CLEAR * abs(blank) and max(with_inputs) < min(without)
            if is_used or way == WAYS[-1]:
                lab.record("real-input-loss", with_inputs)
                lab.record("blank-input-loss", without)
            if is_used:
                break
        said = f"loss {number(real)} on the real inputs, {number(blank)} on blank ones"
        return Answer(
            verdict="sound" if is_used else "unsound",
            text=f"{'yes' if is_used else 'no'}: {said}",
            data={"real": real, "blank": blank},
        )


def losses_end(result: Result) -> float:
    """The training loss at the end of a trial."""
    noted = result.noted("training-loss")
    return end(noted if len(noted) else result.losses)
