"""``python -m babysit`` is ``babysit``."""

from __future__ import annotations

from babysit.cli import main

if __name__ == "__main__":
    main()
