"""The only wiring of the floors below: watching a process, trying a training again."""

from babysit.session.watching import Session, Verdict, log, reaches, run_script, watch

__all__ = ["Session", "Verdict", "log", "reaches", "run_script", "watch"]
