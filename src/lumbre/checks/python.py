"""Python, and the packages lumbre stands on."""

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from lumbre.checks import Finding, Scope, command, found
from lumbre.version import VERSION

PLACE = 10
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def check(scope: Scope) -> Iterator[Finding]:
    missing = [name for name in needed() if not _is_here(name)]
    if missing:
        mend = command(f"{sys.executable} -m pip install {' '.join(missing)}")
        yield found("fail", "python.missing", mend, packages=missing)
    version = platform.python_version()
    yield found("ok", "python.ok", version=version, lumbre=VERSION, executable=sys.executable)


def needed() -> list[str]:
    """Packages lumbre says it needs; none where it runs from its sources."""
    try:
        wanted = metadata.requires("lumbre") or []
    except metadata.PackageNotFoundError:
        return []
    names = [_NAME.match(text) for text in wanted if ";" not in text]
    return [name[0] for name in names if name]


def _is_here(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
