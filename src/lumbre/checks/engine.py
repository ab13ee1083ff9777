"""The engines: whether the one that comes along starts here, and what others there are."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata

from lumbre.checks import Finding, Scope, command, found, from_error
from lumbre.core.errors import BadConfig
from lumbre.engines.choose import KEY, choose
from lumbre.engines.find import Found, find
from lumbre.hardware.probe import this_machine
from lumbre.words import Sentence

PLACE = 70
_PACKAGE = "xllamacpp"
_PATIENCE_S = 8.0
_RUN_GGUF = ("llama_cpp", "llama_server")


def check(scope: Scope) -> Iterator[Finding]:
    yield _built_in()
    try:
        engines = find(scope.config.folders.home / "engines", scope.environment.get("PATH", ""))
    except metadata.PackageNotFoundError:
        return
    others = [engine for engine in engines if engine.backend in _RUN_GGUF and engine.path]
    for engine in others:
        yield _other(engine)
    host = this_machine(scope.environment, root=scope.root)
    try:
        choose(engines, host, scope.config.settings.worker.engine)
    except BadConfig as error:
        yield _not_here(scope, error)
    kinds = {engine.device for engine in engines if not engine.problem}
    idle = [card.name for card in host.cards if card.kind not in kinds]
    if idle:
        yield found("warn", "engine.idle_card", command("lumbre engines install"), cards=idle)


def _not_here(scope: Scope, error: BadConfig) -> Finding:
    """The settings name an engine that cannot run: no model can start."""
    origin = scope.config.origins[KEY]
    finding = from_error(BadConfig(**{**error.facts, "where": origin.where}))
    match origin.layer:
        case "environment":
            mend = command(f"unset {origin.where}")
        case "flag":
            mend = Sentence("doctor.config.flag", flag=origin.where)
        case _:
            mend = Sentence("doctor.engine.choose", where=origin.where)
    return replace(finding, mend=mend)


def _other(engine: Found) -> Finding:
    facts: dict[str, object] = {
        "name": engine.name,
        "build": engine.build,
        "device": engine.device,
        "path": engine.path,
    }
    if not engine.problem:
        return found("ok", "engine.other_ok", **facts)
    is_ours = engine.origin == "installed"
    mend = command(f"lumbre engines remove {engine.name}") if is_ours else None
    return found("warn", "engine.other_broken", mend, reason=engine.problem, **facts)


def _built_in() -> Finding:
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return found("fail", "engine.missing", _install(_pinned()), name=_PACKAGE)
    wrong = _trouble()
    facts = {"name": _PACKAGE, "version": version, "build": version.rpartition(".")[2]}
    if wrong:
        return found("fail", "engine.broken", _install(version), reason=wrong, **facts)
    pinned = _pinned()
    if pinned not in (None, version):
        return found("warn", "engine.other", _install(pinned), pinned=pinned, **facts)
    return found("ok", "engine.ok", **facts)


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
