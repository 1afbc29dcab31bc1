"""Patients: what can be tried again and again."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from babysit import launch
from babysit.target import Target


class ScriptPatient:
    """A script as it is; see :class:`~babysit.trial.Patient`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.label, self.argv = target.label, target.argv[1:]

    def train(self, on_end: Callable[[str, int | None, str], None]) -> None:
        def ended(ending: launch.Ending) -> None:
            error = ending.error
            why = "" if error is None else "".join(traceback.format_exception_only(error))
            on_end(ending.outcome, ending.exit_code, why)

        launch.run(self.target, on_end=ended)


class FunctionPatient:
    """A function that trains, such as what is made of a model, its loss and its data."""

    def __init__(self, function: Callable[[], None], label: str) -> None:
        self._function = function
        self.label = label
        self.argv: tuple[str, ...] = ()

    def train(self, on_end: Callable[[str, int | None, str], None]) -> None:
        try:
            self._function()
        except launch.Stop:
            on_end("stopped", 0, "")
        except Exception as error:
            traceback.print_exc()
            on_end("crashed", 1, "".join(traceback.format_exception_only(error)))
        else:
            on_end("finished", 0, "")
