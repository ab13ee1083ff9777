"""One file per kind of engine, found by its name."""

import importlib.util
import pkgutil

from lumbre.core.backend import Backend
from lumbre.core.errors import CannotDo


def names() -> tuple[str, ...]:
    """Every engine there is a file for; a module without a `backend` is not one."""
    return tuple(info.name for info in pkgutil.iter_modules(__path__) if _load(info.name))


def find(name: str, model: str = "") -> Backend:
    """The backend of this name; `model` is who asks, for the error.

    Raises:
        CannotDo: there is no such engine here.
    """
    found = _load(name) if name.isidentifier() else None
    if found is None:
        raise CannotDo(model=model or name, what=f"engine {name}")
    return found


def _load(name: str) -> Backend | None:
    full = f"{__name__}.{name}"
    if importlib.util.find_spec(full) is None:
        return None
    return getattr(importlib.import_module(full), "backend", None)
