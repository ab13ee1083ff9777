"""Load the libraries that were installed beside an engine, before the engine asks for them."""

import ctypes
from pathlib import Path

FOLDER = "libraries"


def load_beside(engine: Path) -> tuple[str, ...]:
    """Load what lies in `libraries`; a loaded library is found by its name, wherever it lies.

    They need each other in an order that nobody wrote down: those that fail are tried again
    as long as another one succeeds. Returns the names that were loaded; what is missing in
    the end the engine itself will complain of.
    """
    waiting = sorted(path for path in (engine / FOLDER).rglob("*.so*") if path.is_file())
    loaded: list[str] = []
    while True:
        failed = [path for path in waiting if not _loads(path)]
        loaded += [path.name for path in waiting if path not in failed]
        if not failed or failed == waiting:
            return tuple(loaded)
        waiting = failed


def _loads(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
