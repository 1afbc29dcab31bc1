from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count

LOADER = {"dataset": "Jittered", "num_workers": 2, "trained": 40, "place": None}


class IdenticalWorkerSeeds(Rule):
    """Loader workers draw the same random numbers, so their augmentations are the same.

    Why it matters:
        With several workers as many examples get equal noise, crops or flips, and where workers
        start anew every epoch the augmentations repeat too: far less variety than was meant.

    How it decides:
        From the loader, not from numbers: the data set or one of its transforms holds a random
        generator of its own and uses it to make examples. Every worker starts with a copy in the
        same state, unless a ``worker_init_fn`` gives it another. Or a ``worker_init_fn`` sets a
        seed without looking at the worker.

    What to do:
        In ``worker_init_fn`` seed the worker's own generator from ``get_worker_info().seed``; or
        draw from ``torch``, which seeds every worker differently.

    When it is wrong:
        A ``worker_init_fn`` that tells workers apart in a way that cannot be read silences it.
        PyTorch seeds ``torch``, ``random`` and NumPy's global state of every worker by itself:
        these are not reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("seed-workers",)
    min_batches = threshold(
        default=4, unit="batches", why="below it no worker has made a second batch"
    )
    examples = (
        sick(
            loss=[1.0] * 40,
            facts={"loaders": {"Jittered#1": {**LOADER, "workers": {"has_init": False,
                               "generator": "rng", "kind": "numpy Generator"}}}},
        ),
        sick(
            loss=[1.0] * 40,
            facts={"loaders": {"Jittered#1": {**LOADER, "workers": {"has_init": True,
                                                                    "seeds_alike": True}}}},
        ),
        healthy(
            loss=[1.0] * 40,
            facts={"loaders": {"Jittered#1": {**LOADER, "workers": {"has_init": True,
                "seeds_alike": False, "generator": "rng", "kind": "numpy Generator"}}}},
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Every loader with several workers."""
        for loader in run.facts.get("loaders", {}).values():
            workers = loader.get("workers") or {}
            if loader["num_workers"] < 2 or loader["trained"] < self.min_batches:
                continue
            if workers.get("seeds_alike"):
                cause = "its `worker_init_fn` gives all of them the same seed"
            elif workers.get("generator") and not workers["has_init"]:
                cause = (
                    f"each starts with a copy of `{loader['dataset']}.{workers['generator']}` "
                    f"({workers['kind']}) in the same state"
                )
            else:
                continue
            yield Finding(
                confidence=0.9,
                message=f"the loader's {count(loader['num_workers'], 'worker')} draw the same "
                f"random numbers: {cause}",
                where=Place(**made) if (made := loader.get("made") or loader["place"]) else None,
                evidence=(
                    Evidence(signal="loader-workers", value=float(loader["num_workers"]), limit=1),
                ),
                remedies=(
                    Remedy(
                        name="seed-workers",
                        text="Pass a `worker_init_fn` that gives each worker's generator its own "
                        "seed: `np.random.default_rng(torch.utils.data.get_worker_info().seed)`.",
                    ),
                ),
            )
