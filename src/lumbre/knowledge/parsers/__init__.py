"""The kinds of files lumbre reads: one module each, found by the endings it names.

A module has `ENDINGS`, lower-case file name endings with their dot, and `parse(data)`
as `lumbre.workers.parse.Parses` describes it. It is only imported here for its endings,
so what reads the format is imported inside `parse`.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def endings() -> Mapping[str, str]:
    """Ending -> module name, of every kind there is."""
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        for ending in importlib.import_module(f"{__name__}.{module.name}").ENDINGS:
            found[ending] = module.name
    return found


def module_for(path: Path) -> str | None:
    """The module that reads a file of this name."""
    return endings().get(path.suffix.lower())
