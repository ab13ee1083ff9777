"""Libraries a build needs and a system may lack: NVIDIA's, which are to be had as packages.

They are no part of the build: without them it runs where CUDA is installed, and one that
cannot be had is told of and left out.
"""

import ctypes
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lumbre.core.errors import BadEngine
from lumbre.engines.catalogue import Build
from lumbre.engines.unpack import unpack
from lumbre.workers.libraries import FOLDER


def missing(build: Build) -> tuple[str, ...]:
    """The packages whose libraries this system does not have."""
    return tuple(package for library, package in build.libraries if not _is_here(library))


def bundle(
    build: Build | None, files: Sequence[Path], new: Path, gave_up: Callable[[Path, object], None]
) -> tuple[str, ...]:
    """Unpack those of `files` that the build needs beside it; their names.

    A damaged or hostile one is told to `gave_up`, and the rest goes on.
    """
    used = []
    for _, package in build.libraries if build else ():
        for path in files:
            if not _is_of(path, package):
                continue
            into = new / FOLDER / path.stem
            try:
                into.mkdir(parents=True)
                unpack(path, into)
            except BadEngine as error:
                gave_up(path, error.facts["reason"])
            else:
                used.append(path.name)
                break
    return tuple(used)


def _is_of(path: Path, package: str) -> bool:
    """Source: packaging.python.org, "Binary distribution format": dashes become underscores."""
    name = re.split(r"[=<>~!]", package)[0].replace("-", "_").lower()
    return path.suffix == ".whl" and path.name.lower().startswith(f"{name}-")


def _is_here(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
