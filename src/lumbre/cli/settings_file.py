"""Change one setting in config.toml, leaving every comment and line as it stands."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import tomlkit
from filelock import FileLock, Timeout
from tomlkit.exceptions import TOMLKitError

from lumbre.core.errors import BadConfigFile, HomeNotUsable

Value = str | Sequence[str]
T = TypeVar("T", bound=Value)

_PATIENCE_S = 60.0
"""Another command holds the file for as long as it takes to tell the household of it."""


def write_setting(path: Path, key: str, value: Value) -> None:
    """Set `key` (dotted) in the file, which is made if it is not there. Atomic.

    Raises:
        BadConfigFile: the file is not TOML.
        HomeNotUsable: it cannot be written.
    """
    with changed_setting(path, key, lambda _: value):
        pass


@contextmanager
def changed_setting(path: Path, key: str, change: Callable[[Any], T]) -> Iterator[T]:
    """The same for what `change` makes of its value as it is now, None where the file has none.

    No other command changes the file before the block ends.

    Raises: as `write_setting`.
    """
    with _alone(path):
        with _told(path):
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            document = tomlkit.parse(text)
            table: Any = document
            *sections, name = key.split(".")
            for section in sections:
                if section not in table:
                    table[section] = tomlkit.table(is_super_table=section != sections[-1])
                table = table[section]
            value = change(table[name].unwrap() if name in table else None)
            table[name] = value if isinstance(value, str) else list(value)
            _replace(path, tomlkit.dumps(document))
        yield value


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One command at a time; the system gives the right back when its holder dies."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout as error:
        raise HomeNotUsable(path=path, reason="another command is changing it") from error
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (TOMLKitError, ValueError) as error:
        raise BadConfigFile(path=path, reason=str(error)) from error
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
