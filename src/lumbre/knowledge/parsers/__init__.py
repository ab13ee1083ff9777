"""The kinds of files lumbre reads: one module each, found by the endings it names.

A module has `ENDINGS`, lower-case file name endings with their dot, and `parse(data,
bounds)` as `lumbre.workers.parse.Parses` describes it. It is only imported here for its endings,
so what reads the format is imported inside `parse`.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def endings(package: str = __name__) -> Mapping[str, str]:
    """Ending -> module name, of every kind there is in a package of parsers."""
    folder = importlib.import_module(package).__path__
    return {
        ending: module.name
        for module in pkgutil.iter_modules(folder)
        for ending in importlib.import_module(f"{package}.{module.name}").ENDINGS
    }


def module_for(path: Path, package: str = __name__) -> str | None:
    """The module that reads a file of this name."""
    return endings(package).get(path.suffix.lower())
