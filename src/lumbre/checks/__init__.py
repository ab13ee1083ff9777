"""Everything lumbre needs, looked at: one file per need, found by name.

A check only looks: it starts nothing, makes nothing and changes nothing. Each is a module with
`PLACE`, where it stands in the list, and `check(scope)`, which gives one finding or more.
"""

import importlib
import pkgutil
import shlex
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, cast

from lumbre.config import Config
from lumbre.core.errors import LumbreError
from lumbre.words import Sentence

Status = Literal["ok", "warn", "fail"]
_PATIENCE_S = 10.0
"""For all checks together; they run side by side."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The household that serves this home, or did: what its note says."""

    pid: int
    version: str
    socket: Path
    is_alive: bool
    """It holds the home's lock; one that does not has crashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What there is to look at."""

    config: Config
    environment: Mapping[str, str] = field(default_factory=dict)
    trouble: LumbreError | None = None
    """Why the settings are not those of the person, but the defaults."""
    serving: Serving | None = None
    encoding: str = "utf-8"
    """Of the terminal."""
    root: Path = Path("/")
    """Where the system's own files begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    status: Status
    message: Sentence
    mend: Sentence | None = None
    """What to do, with the command where there is one."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Figures for scripts; what JSON can hold."""


class Check(Protocol):
    """A module of this folder."""

    PLACE: int

    def check(self, scope: Scope) -> Iterable[Finding]:
        """What is so; raising means that this could not be found out."""
        ...


def found(status: Status, key: str, mend: Sentence | None = None, /, **facts: object) -> Finding:
    """A finding whose facts are those of its sentence, `doctor.KEY`."""
    return Finding(
        status=status,
        message=Sentence(f"doctor.{key}", **facts),
        mend=mend,
        facts={name: _plain(value) for name, value in facts.items()},
    )


def command(words: str) -> Sentence:
    """A command that mends something, as it is typed."""
    return Sentence("doctor.command", command=words)


def move_aside(path: Path) -> str:
    """The command that takes a file or folder out of the way and keeps it."""
    return f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.bad')}"


def from_error(error: LumbreError, status: Status = "fail") -> Finding:
    """An error with its own words and hint."""
    facts = {"code": error.code} | {name: _plain(value) for name, value in error.facts.items()}
    return Finding(
        status=status,
        message=Sentence(f"errors.{error.code}.message", **error.facts),
        mend=Sentence(f"errors.{error.code}.hint", **error.facts),
        facts=facts,
    )


def names() -> tuple[str, ...]:
    """Every check there is a file for, in the order they are told."""
    modules = [info.name for info in pkgutil.iter_modules(__path__) if info.name[0] != "_"]
    return tuple(sorted(modules, key=lambda name: (_load(name).PLACE, name)))


def run(
    scope: Scope, wanted: Iterable[str] | None = None, *, patience_s: float = _PATIENCE_S
) -> list[tuple[str, Finding]]:
    """The findings of every check, with its name, in order; never raises, never waits for long."""
    told: dict[str, list[Finding]] = {}

    def look(name: str, check: Check) -> None:
        try:
            findings = list(check.check(scope))
        except LumbreError as error:
            findings = [from_error(error)]
        except Exception as error:  # a check that fails must not take the others down
            findings = [_broken(error)]
        told[name] = findings

    threads = []
    for name in names() if wanted is None else wanted:
        thread = threading.Thread(target=look, args=(name, _load(name)), name=name, daemon=True)
        thread.start()
        threads.append(thread)
    until = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = [found("fail", "no_answer", patience_s=patience_s)]
    return [(thread.name, finding) for thread in threads for finding in told.get(thread.name, late)]


def _load(name: str) -> Check:
    return cast("Check", importlib.import_module(f"{__name__}.{name}"))


def _broken(error: Exception) -> Finding:
    detail = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return found("fail", "broken", detail=detail)


def _plain(value: object) -> object:
    """A fact as JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
