from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class MemoryLeak(Rule):
    """Graphs of earlier steps are kept alive from step to step.

    Why it matters:
        A loss that is summed or stored as a tensor holds on to the graph that made it. Memory
        grows with every step until the process is killed, often hours later.

    How it decides:
        A mark hangs on the graph of every sampled step. Reported when marks of most earlier
        samples are still alive although their steps are long over, and this is not garbage that
        waits to be collected.

    What to do:
        Keep numbers, not tensors: ``total += loss.item()``, or ``loss.detach()`` where the value
        shall stay on its device. Outputs that are kept for later: ``output.detach()``.

    When it is wrong:
        Truncated backpropagation, retained graphs, inner loops and opponents keep a graph for a
        few steps; a sum that starts anew each epoch keeps it for that long and is reported only
        beyond the limit. A history of fixed length is not.
    """

    since = "0.1"
    severity = "warning"
    needs = ("kept-graphs",)
    remedies = ("detach-value",)
    min_age = threshold(
        default=50,
        unit="steps",
        why="33 healthy programs keep no graph at all; unrolled and accumulated losses "
        "rarely span 50 optimizer steps",
    )
    min_kept = threshold(
        default=5, unit="graphs", why="one or two are kept by variables that outlive their loop"
    )
    min_share = threshold(
        default=0.8,
        unit="share of the samples within the span",
        why="the sick clinic keeps every one of them; a single early output kept for a plot is "
        "one of many",
    )
    examples = (
        sick(kept_graphs={0: 0, 10: 1, 20: 2, 30: 3, 40: 4, 60: 5, 80: 6, 90: 7},
             kept_graph_age={10: 10, 20: 20, 30: 30, 40: 40, 60: 60, 80: 80, 90: 90}),
        healthy(kept_graphs=[0.0] * 60),
        healthy(kept_graphs={0: 0, 20: 1, 40: 1, 60: 1, 80: 1, 100: 1},
                kept_graph_age={20: 20, 40: 40, 60: 60, 80: 80, 100: 100}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The sample that saw the oldest graph alive."""
        ages, kept = run.series("kept-graph-age"), run.series("kept-graphs")
        if not len(ages):
            return
        step = int(ages.steps[ages.values.argmax()])
        age, alive = float(ages.values.max()), kept.at(step) or 0.0
        within = int(((kept.steps >= step - age) & (kept.steps < step)).sum())
        if age < self.min_age or alive < self.min_kept or alive < self.min_share * within:
            return
        memory = run.series("resident-megabytes").values
        growth = float(memory[-1] - memory[len(memory) // 4]) if len(memory) > 8 else 0.0
        grown = f"; the process grew by {number(np.round(growth))} MB" if growth >= 50 else ""
        yield Finding(
            severity=self.severity,
            confidence=0.93,
            message=f"graphs of up to {count(int(age), 'earlier step')} are still in memory at "
            f"step {step}: something keeps losses or outputs with their graph, such as "
            f"`total += loss`{grown}",
            where=run.source("backward"),
            first_step=step - int(age),
            evidence=(
                Evidence(signal="kept-graph-age", value=age, limit=self.min_age, steps=(step,)),
            ),
            remedies=(
                Remedy(name="detach-value", text="Keep numbers, not graphs: "
                       "`total += loss.item()`, `outputs.append(output.detach())`."),
            ),
        )  # fmt: skip
