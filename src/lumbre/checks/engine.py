"""The engine that comes with lumbre: whether it starts here at all, and which build it is."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from lumbre.checks import Finding, Scope, command, found
from lumbre.words import Sentence

PLACE = 70
_PACKAGE = "xllamacpp"
_PATIENCE_S = 8.0


def check(scope: Scope) -> Iterator[Finding]:
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        yield found("fail", "engine.missing", _install(_pinned() or ""), name=_PACKAGE)
        return
    wrong = _trouble()
    facts = {"name": _PACKAGE, "version": version, "build": version.rpartition(".")[2]}
    if wrong:
        yield found("fail", "engine.broken", _install(version), reason=wrong, **facts)
        return
    pinned = _pinned()
    if pinned not in (None, version):
        yield found("warn", "engine.other", _install(pinned), pinned=pinned, **facts)
    else:
        yield found("ok", "engine.ok", **facts)


def _trouble() -> str:
    """Why it cannot be imported; empty when it can. In a child: a wrong build ends the process."""
    child = subprocess.run(
        [sys.executable, "-P", "-c", f"import {_PACKAGE}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
    if child.returncode == 0:
        return ""
    said = [line.strip() for line in child.stderr.splitlines() if line.strip()]
    return said[-1][:200] if said else f"exit {child.returncode}"


def _pinned() -> str | None:
    """The version lumbre was made for; None where it runs from its sources."""
    try:
        wanted = metadata.requires("lumbre") or []
    except metadata.PackageNotFoundError:
        return None
    exact = (text.partition("==") for text in wanted)
    return next((version for name, _, version in exact if name == _PACKAGE and version), None)


def _install(version: str | None) -> Sentence:
    wanted = f"{_PACKAGE}=={version}" if version else _PACKAGE
    return command(f"{sys.executable} -m pip install --force-reinstall --no-deps {wanted}")
