"""Series stay bounded, keep extremes, and thin alike live and replayed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babysit.run import Run
from babysit.series import Series, start_of_end

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


@given(values)
def test_a_series_is_bounded_ordered_and_keeps_its_extremes(points: list[float]) -> None:
    series = Series(limit=32)
    for step, value in enumerate(points):
        series.append(step, value)
    assert len(series) < 32
    assert (np.diff(series.steps) > 0).all()
    assert series.values.max() == max(points)
    assert series.values.min() == min(points)
    assert all(
        points[step] == value for step, value in zip(series.steps, series.values, strict=True)
    )


def test_a_series_gives_the_value_in_force_at_a_step() -> None:
    series = Series()
    for step, value in ((0, 0.1), (10, 0.01)):
        series.append(step, value)
    assert [series.at(step) for step in (-1, 0, 9, 10, 99)] == [None, 0.1, 0.1, 0.01, 0.01]


def test_a_limit_that_cannot_be_thinned_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match="got 10"):
        Series(limit=10)


def test_a_signal_that_is_not_in_the_list_is_refused() -> None:
    run = Run.replay([{"event": "training", "training": 1, "name": "t"}])
    with pytest.raises(KeyError, match="add it below babysit/signals"):
        run.trainings[1].record("los", 1.0, step=0)


def test_events_of_a_later_kind_are_skipped() -> None:
    run = Run.replay([{"event": "hologram", "training": 1}])
    assert not run.has_trained


@pytest.mark.parametrize(
    ("steps", "start"),
    [
        (range(60, 100), 60),
        ([5, *range(60, 100)], 60),
        (range(0, 100, 2), None),
        (range(85), None),
        ([], None),
    ],
)
def test_what_happens_to_the_end_has_a_beginning(steps: Iterable[int], start: int | None) -> None:
    events, every = Series(), Series()
    for step in range(100):
        every.append(step, 1.0)
    for step in steps:
        events.append(step, 1.0)
    assert start_of_end(events, every, 0.9) == start
