"""A household that a file describes: known models, each with its place in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from lumbre.core.errors import BadHousehold, UnknownHousehold
from lumbre.core.model import ROLES, Load, Manifest
from lumbre.registry.known.table import find_known
from lumbre.words import Sentence

_SHIPPED = Path(__file__).parent / "households"
_MOST_BYTES = 256 * 1024
_KEYS = ("id", "role", "load", "context", "remote")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
"""How tomllib ends what it says; of what the text ends in, it names no line."""
_LOADS: tuple[Load, ...] = get_args(Load)


@dataclass(frozen=True, slots=True)
class DescribedHousehold:
    """Models without weights here, and the machine they are meant for."""

    name: str
    machine: str
    """Of one that ships, or the path of a file; empty: this one."""
    models: tuple[Manifest, ...]


def household_names() -> tuple[str, ...]:
    """The households that come with lumbre."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.toml")))


def find_household(name_or_path: str) -> DescribedHousehold:
    """A household by the name of one that ships, else by the path of its file.

    Raises:
        UnknownHousehold: neither.
        BadHousehold: a file that does not describe one.
    """
    if name_or_path in household_names():
        return read_household(_SHIPPED / f"{name_or_path}.toml")
    if not name_or_path:
        raise UnknownHousehold(name=name_or_path, known=household_names())
    path = Path(name_or_path)
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        raise UnknownHousehold(name=name_or_path, known=household_names()) from error
    return read_household(path)


def read_household(path: Path) -> DescribedHousehold:
    """The household of a file: `machine`, and `[[models]]` with id, role, load, context, remote.

    Raises:
        BadHousehold: unreadable, or it says something that cannot be.
    """
    table = _table(path)
    rows, machine = table.get("models"), table.get("machine", "")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise _bad(path, Sentence("planning_for.no_models"))
    if not isinstance(machine, str):
        raise _bad(path, Sentence("planning_for.value", key="machine", value=str(machine)))
    models = [_model(row, path) for row in rows]
    ids = [model.id for model in models]
    for model_id in ids:
        if ids.count(model_id) > 1:
            raise _bad(path, Sentence("planning_for.twice", model=model_id))
    return DescribedHousehold(path.stem, machine, tuple(models))


def _model(row: Mapping[str, Any], path: Path) -> Manifest:
    for key in row:
        if key not in _KEYS:
            raise _bad(path, Sentence("planning_for.key", key=key, known=_KEYS))
    known = find_known(str(row.get("id", "")))
    if known is None:
        reason = Sentence("planning_for.unknown_model", model=str(row.get("id", "")))
        raise _bad(path, reason)
    role, load = row.get("role", known.role), row.get("load")
    for key, value, choices in (("role", role, ROLES), ("load", load, (*_LOADS, None))):
        if value not in choices:
            reason = Sentence(
                "planning_for.choice",
                key=key,
                value=str(value),
                choices=list(filter(None, choices)),
            )
            raise _bad(path, reason)
    context = row.get("context", known.context_tokens)
    if type(context) is not int or not 0 <= context <= known.context_tokens:
        raise _bad(path, Sentence("planning_for.value", key="context", value=str(context)))
    manifest = replace(known.manifest(role=role), load=load, context_length=context or None)
    if row.get("remote") is True:
        return replace(manifest, format="remote", files=())
    return manifest


def _table(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise _bad(path, Sentence("planning_for.not_a_file"))
        if path.stat().st_size > _MOST_BYTES:
            raise _bad(path, Sentence("planning_for.too_long"))
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        reason = Sentence("planning_for.unreadable", detail=detail.partition("\n")[0][:200])
        raise _bad(path, reason) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error).partition("\n")[0][:200]
        found = _LINE.search(said)
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        detail = said[: found.start()].strip() if found else said
        raise _bad(path, Sentence("planning_for.not_toml", line=line, detail=detail)) from error


def _bad(path: Path, reason: Sentence) -> BadHousehold:
    return BadHousehold(path=path, reason=reason)
