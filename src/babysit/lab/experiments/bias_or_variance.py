from __future__ import annotations

from typing import Final

from babysit.change import Change
from babysit.changes.data import HoldOut
from babysit.changes.functions import SetDropout
from babysit.changes.runs import Reseed
from babysit.changes.updates import SetWeightDecay
from babysit.changes.width import ScaleWidth
from babysit.decay import strongest_decay
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import changed, plain, refusal
from babysit.lab.generalisation import Evidence, causes, fit_of, numbers
from babysit.lab.resting import has_dropout, rested
from babysit.text import listing, number
from babysit.trial import Trial

SEEDS: Final = (0, 1, 2)
WIDER: Final = 4.0
NARROWER: Final = 0.25
UNUSED: Final = 0.375  # of the examples; a quarter is held out, so half of the rest is learnt


class BiasOrVariance(Experiment):
    """Wider and narrower, without regularisation, from half of the data: what limits it (E9).

    Bias: more width, less regularisation or more steps make training and held-out examples
    better. Variance: held-out examples lag behind, and fewer examples make it worse (B8). What is
    suspected is tried under more seeds before it is said.
    """

    question = "What limits it: bias or variance?"
    order = 60

    def cost(self, lab: Lab) -> float:
        return sum(lab.cost(trial) for trial in (plain(lab, 0), *variants_of(lab, 0).values()))

    def conduct(self, lab: Lab) -> Conduct:
        results = yield [plain(lab, seed) for seed in SEEDS]
        if (why := refusal(results)) is not None:
            return not_tried(why)
        fits = [fit for one in results if (fit := fit_of(one)) is not None]
        if len(fits) < len(results):
            return not_tried("too few examples or steps to hold any out")
        off = tuple(title for title, _ in regularisation(lab))
        evidence = Evidence(plain=fits, off=off, is_whole=lab.ran_through)
        untried: dict[str, str] = {}
        for seed in SEEDS:
            chosen = variants_of(lab, seed)
            if seed:  # what is suspected is confirmed
                chosen = {name: chosen[name] for name in suspects(evidence) if name in chosen}
            results = yield list(chosen.values())
            for name, result in zip(chosen, results, strict=True):
                if (fit := fit_of(result)) is not None:
                    getattr(evidence, name).append(fit)
                else:
                    untried[name] = result.refusal or "it took too long"
        return conclude(evidence, untried)


def suspects(evidence: Evidence) -> list[str]:
    """The variants that tell of something wrong, and what they are compared with."""
    found = {one.variant for one in causes(evidence) if one.variant is not None}
    return sorted(found | ({"tied"} if "free" in found else set()))


def variants_of(lab: Lab, seed: int) -> dict[str, Trial]:
    """The trials that are compared with the training as it is, by what they are."""
    found = {
        "wide": changed(lab, "wide", seed, ScaleWidth(factor=WIDER)),
        "narrow": changed(lab, "narrow", seed, ScaleWidth(factor=NARROWER)),
        "half": lab.trial(f"half-{seed}", HoldOut(unused=UNUSED), Reseed(seed=seed)),
    }
    off = [change for _, change in regularisation(lab)]
    if has_dropout(lab):
        found["tied"] = rested(lab, "rested", seed)
        found["free"] = rested(lab, "free", seed, *off)
    elif off:
        found["tied"] = plain(lab, seed)
        found["free"] = changed(lab, "free", seed, *off)
    return found


def regularisation(lab: Lab) -> list[tuple[str, Change]]:
    """What holds the model back by intent, and the change that ends it."""
    found: list[tuple[str, Change]] = []
    if has_dropout(lab):
        found.append(("dropout", SetDropout(p=0.0)))
    if strongest_decay(lab.training)[0] > 0:
        found.append(("weight decay", SetWeightDecay(decay=0.0)))
    return found


def conclude(evidence: Evidence, untried: dict[str, str]) -> Answer:
    """What the numbers say, or that they do not."""
    found, known = causes(evidence), numbers(evidence)
    verdict = found[0].name if found else "neither"
    data = {**known, "verdict": verdict, "untried": untried}
    if found:
        text = "; ".join(f"{one.name}: {one.text}" for one in found)
        return Answer(verdict="unsound", text=text, data=data)
    said = {
        "wide": "at four times the width", "narrow": "at a quarter of the width",
        "free": f"without {' and '.join(evidence.off)}", "half": "from half of the examples",
    }  # fmt: skip
    losses = {name: known.get(f"{name}-held-out-loss") for name in said}
    compared = [f"{number(v)} {said[name]}" for name, v in losses.items() if v is not None]
    text = f"neither clearly: training loss {number(known['plain-training-loss'])}, " + listing(
        [f"held-out loss {number(known['plain-held-out-loss'])}", *compared], most=5
    )
    return Answer(verdict="sound" if evidence.is_whole else "told", text=text, data=data)
