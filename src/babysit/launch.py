"""Run a user's program inside this process, exactly as ``python`` would.

``babysit run train.py`` must be indistinguishable, for the script, from ``python train.py``: the
same ``__main__``, ``sys.argv`` and ``sys.path``, the same tracebacks, streams, exit code and death
by signal. The one difference is that ``on_end`` is called when everything that the program has to
say has been said.

``resolve`` checks what to run, ``run`` runs it and never returns.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # unknown to typeshed; see _Terminator
import atexit
import builtins
import os
import pkgutil
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader, SourcelessFileLoader
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, Literal, NoReturn, Self

from babysit.errors import BabysitError
from babysit.target import Target, resolve, set_first_path

__all__ = ["Ending", "OnEnd", "Stop", "Target", "resolve", "run"]

Outcome = Literal["finished", "stopped", "crashed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the program ended.

    Args:
        exit_code: what a shell sees: 0 to 255, and 128 + n for a death by signal n.
        error: the exception that the program left uncaught, without our frames.
        signal: the signal that ended it.
    """

    outcome: Outcome
    exit_code: int
    error: BaseException | None = None
    signal: int | None = None


OnEnd = Callable[[Ending], int | None]


class Stop(SystemExit):
    """Raised by us inside the user's training to stop it cleanly, as after ``--steps 100``.

    A ``SystemExit``, so that ``except Exception`` does not hold it and ``finally`` is honoured.
    """

    def __init__(self) -> None:
        super().__init__(0)


def run(target: Target, *, on_end: OnEnd) -> NoReturn:
    """Run the program and leave as python would leave, with one call of ``on_end`` before.

    Ends by raising ``SystemExit``, or ``KeyboardInterrupt`` after a Ctrl-C: let both pass to the
    interpreter, so that it finishes as usual. (A process that Ctrl-C ended must die by SIGINT, and
    only the interpreter can arrange that after it has closed the user's files.)

    Args:
        on_end: called when the program, its threads and its exit handlers are through. An int
            that it returns replaces the exit code, except where a signal ended the program. It
            cannot use pools of threads, which are shut down by then.

    Raises:
        BabysitError: the module is not where its name says; nothing has run but its packages.
    """
    report = _Report(on_end)
    _Terminator(report).attach()
    ending = _execute(target)
    _wait_for_threads()
    _run_exit_handlers()
    _flush()
    exit_code = None
    try:
        exit_code = report.give(ending)
    except KeyboardInterrupt as impatience:
        ending = _ended_by(signal.SIGINT, impatience)
    if ending.signal is not None:
        sys.excepthook = lambda *_: None  # The traceback has been shown.
        raise KeyboardInterrupt
    raise SystemExit(ending.exit_code if exit_code is None else exit_code)


# --- Becoming the program


class _NotFoundError(BabysitError):
    """Raised by runpy, on our behalf, where python would say that it cannot find the module."""


def _is_script(target: Target) -> bool:
    return target.module is None and pkgutil.get_importer(target.argv[0]) is None


def _become(target: Target) -> dict[str, Any]:
    """Make ``sys.argv`` and a bare ``__main__`` as they are when python has just started."""
    sys.argv = list(target.argv)
    main = sys.modules["__main__"] = ModuleType("__main__")
    namespace = vars(main)
    namespace["__loader__"] = BuiltinImporter
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    namespace["__builtins__"] = builtins
    return namespace


def _load(target: Target, namespace: dict[str, Any]) -> CodeType:
    """Find the program's code, and make ``sys.path`` and ``__main__`` ready for it."""
    file = os.path.join(Path.cwd(), target.argv[0])  # which keeps "./", as python does
    if _is_script(target):
        return _load_script(file, namespace)
    # runpy's private helpers are the code behind `python -m` and `python folder`; the standard
    # library's pdb and trace build on them too.
    if target.module is not None:
        set_first_path(Path.cwd())
        details = runpy._get_module_details(target.module, _NotFoundError)  # type: ignore[attr-defined]
        sys.argv[0] = details[1].origin
    else:
        set_first_path(file, always=True)
        details = runpy._get_main_module_details(_NotFoundError)  # type: ignore[attr-defined]
    spec: ModuleSpec = details[1]
    namespace.update(__file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader)
    namespace.update(__package__=spec.parent, __spec__=spec)
    code: CodeType = details[2]
    return code


def _load_script(file: str, namespace: dict[str, Any]) -> CodeType:
    set_first_path(Path(file).resolve().parent)
    namespace.update(__file__=file, __cached__=None)
    if file.endswith(".pyc"):
        loader = namespace["__loader__"] = SourcelessFileLoader("__main__", file)
        code = loader.get_code("__main__")
        assert code is not None
        return code
    namespace["__loader__"] = SourceFileLoader("__main__", file)
    # Not the loader's get_code: python neither reads nor writes __pycache__ for a script.
    return compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)


# --- Running and ending

# A warning with a stacklevel beyond the program's first frame is placed by python at "sys:1", or
# "<sys>:0" since 3.13. The frame below the program is ours, so we give it that very name.
_SYS_FILE, _SYS_LINE = ("<sys>", 0) if sys.version_info >= (3, 13) else ("sys", 1)
_BOTTOM = compile("exec(code, namespace)", _SYS_FILE, "exec").replace(co_firstlineno=_SYS_LINE)


def _execute(target: Target) -> Ending:
    """Run the program to the end of its main thread, and show what it did not catch."""
    is_script = _is_script(target)
    namespace = _become(target)
    error: BaseException | None = None
    try:
        code = _load(target, namespace)
        exec(_BOTTOM, {"__name__": "sys", "code": code, "namespace": namespace})
    except _NotFoundError as problem:
        raise BabysitError(
            f"{target.label} cannot be run ({problem}); give the name of a module, "
            "or of a package with a __main__.py."
        ) from None
    except BaseException as problem:
        error = problem
    # After a script, and only a script, python flushes now and, unless it left by SystemExit,
    # forgets its file: a thread or an exit handler that lives longer does not find it.
    if is_script:
        _flush()
    ending = _conclude(error)
    if is_script and not isinstance(error, SystemExit):
        namespace.pop("__file__", None)
        namespace.pop("__cached__", None)
    return ending


def _conclude(error: BaseException | None) -> Ending:
    """Show an uncaught exception as python does, and say what it means."""
    if error is None:
        return Ending(outcome="finished", exit_code=0)
    if isinstance(error, SystemExit):
        outcome: Outcome = "stopped" if isinstance(error, Stop) else "finished"
        return Ending(outcome=outcome, exit_code=_exit_code(error))
    _hide_our_frames(error)
    leave = _show(error)
    if isinstance(error, KeyboardInterrupt) and leave is None:
        return _ended_by(signal.SIGINT, error)
    exit_code = 1 if leave is None else _exit_code(leave)
    return Ending(outcome="crashed", exit_code=exit_code, error=error)


def _ended_by(signum: int, error: BaseException | None = None) -> Ending:
    return Ending(outcome="interrupted", exit_code=128 + signum, error=error, signal=signum)


def _exit_code(leave: SystemExit) -> int:
    """The exit code that python makes of a ``SystemExit``; a message goes to stderr."""
    if leave.code is None:
        return 0
    if isinstance(leave.code, int):
        return leave.code & 0xFF
    _tell(leave.code)
    return 1


def _show(error: BaseException) -> SystemExit | None:
    """Hand the exception to ``sys.excepthook``; return the exit that the hook may ask for."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit as leave:
        return leave
    except BaseException as failure:
        _hide_our_frames(failure)
        _tell("Error in sys.excepthook:")
        sys.__excepthook__(type(failure), failure, failure.__traceback__)
        _tell("\nOriginal exception was:")
        sys.__excepthook__(type(error), error, error.__traceback__)
    return None


def _wait_for_threads() -> None:
    """Wait for the program's threads now, as the interpreter would later."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # no public name; may be called twice
    except BaseException as error:  # Ctrl-C while waiting: python shows it, and does not wait.
        _hide_our_frames(error)
        _tell(f"Exception ignored in: {threading!r}\nTraceback (most recent call last):")
        _tell(
            "".join(traceback.format_tb(error.__traceback__)) + f"{type(error).__name__}: {error}"
        )


def _run_exit_handlers() -> None:
    """Run the program's exit handlers now, as the interpreter would later."""
    hook = sys.unraisablehook

    def without_our_frames(args: Any) -> None:  # The type of args has no public constructor.
        # A handler without frames of its own, as atexit.register(os.remove, …), is given ours.
        users = _without_ours(args.exc_traceback)
        hook(type(args)((args.exc_type, args.exc_value, users, args.err_msg, args.object)))

    sys.unraisablehook = without_our_frames
    atexit._run_exitfuncs()
    if sys.unraisablehook is without_our_frames:
        sys.unraisablehook = hook


def _flush() -> None:
    for stream in (sys.stderr, sys.stdout):
        # It may be None or closed. A broken pipe is told by the interpreter, which flushes last.
        with suppress(Exception):
            stream.flush()


def _tell(message: object) -> None:
    with suppress(Exception):
        sys.stderr.write(f"{message}\n")


class _Report:
    """Calls ``on_end`` once, only in the process that was launched, and contains its failure."""

    def __init__(self, on_end: OnEnd) -> None:
        self._on_end: OnEnd | None = on_end
        self._process = os.getpid()

    def give(self, ending: Ending) -> int | None:
        on_end, self._on_end = self._on_end, None
        if on_end is None or os.getpid() != self._process:
            return None
        try:
            return on_end(ending)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            _tell(
                f"babysit failed while reporting ({type(failure).__name__}: {failure}); "
                "your program is not at fault and its exit code stands; please report this."
            )
            return None


class _Terminator(int):
    """Our handler of SIGTERM and SIGHUP, which the program cannot see.

    It lets the report be given, then dies by the signal. Programs ask whether a signal has a
    handler and behave otherwise if so (Lightning does). ``signal.signal`` and ``getsignal`` turn
    every int into an enum, so they present an int equal to ``SIG_DFL`` as ``SIG_DFL``; but the C
    function behind them takes it for a handler, since it is callable.
    """

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls, signal.SIG_DFL)

    def __init__(self, report: _Report) -> None:
        self._report = report
        self._thread = threading.local()

    def attach(self) -> None:
        for name in ("SIGTERM", "SIGHUP"):  # Windows lacks the second.
            signum = getattr(signal, name, None)
            # Where nohup has it ignored, it stays so.
            if signum is not None and signal.getsignal(signum) is signal.SIG_DFL:
                _signal.signal(signum, self)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._hold, after_in_parent=self._release, after_in_child=self._leave
            )

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_DFL)  # A second one kills at once.
        try:
            self._report.give(_ended_by(signum))
        finally:
            signal.raise_signal(signum)

    # A forked worker must die of terminate() at once, even within a long call of C code, so we
    # leave it. Signals are held meanwhile, for one that came before would be lost.

    def _hold(self) -> None:
        self._thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._handled())

    def _release(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._thread.mask)

    def _leave(self) -> None:
        for signum in self._handled():
            signal.signal(signum, signal.SIG_DFL)
        self._release()

    def _handled(self) -> list[signal.Signals]:
        return [signum for signum in signal.Signals if _signal.getsignal(signum) is self]


# --- Tracebacks without us


def _hide_our_frames(error: BaseException) -> None:
    """Take our frames out of an exception and of all that hang on it."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_ours(one.__traceback__)
        pending += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def _without_ours(first: TracebackType | None) -> TracebackType | None:
    entries = list(_entries(first))
    # At the top stands also what we needed to find, load and start the program.
    while entries and _package(entries[0]) in _LAUNCHING:
        del entries[0]
    entries = [entry for entry in entries if _package(entry) != "babysit"]
    for earlier, later in pairwise(entries):
        earlier.tb_next = later
    if not entries:
        return None
    entries[-1].tb_next = None
    return entries[0]


_LAUNCHING = ("babysit", "sys", "runpy", "pkgutil", "importlib", "zipimport")


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _package(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0]
