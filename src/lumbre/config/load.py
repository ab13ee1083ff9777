"""Settings from defaults, file, environment and flags; each value knows where it came from."""

import dataclasses
import difflib
import hashlib
import math
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lumbre.config.folders import Folders
from lumbre.config.settings import Documents, Household, Interface, Settings
from lumbre.core.errors import BadConfig, BadConfigFile, HomeNotUsable, UnknownConfigKey
from lumbre.core.units import parse_bytes
from lumbre.words import Sentence

_NOT_SETTINGS = ("LUMBRE_HOME", "LUMBRE_MODELS")
_OF_TESTS = "LUMBRE_TEST_"
_PREFIX = "LUMBRE_"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    layer: Literal["default", "file", "environment", "flag"]
    where: str
    """File and line, variable, or flag; empty for a default."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force, the folders, and the origin of every value."""

    settings: Settings
    folders: Folders
    origins: Mapping[str, Origin] = field(default_factory=dict)
    visible_cards: str | None = None
    """CUDA_VISIBLE_DEVICES: the cards this program may use; None: all."""

    def values(self) -> Iterator[tuple[str, object, Origin]]:
        """Every key with its value and origin, in the order of the tree."""
        for key in keys():
            value: Any = self.settings
            for name in key.split("."):
                value = getattr(value, name)
            yield key, value, self.origins.get(key, Origin("default", ""))

    @property
    def fingerprint(self) -> str:
        """Equal where models and documents are treated alike: others want another household.

        How a person is spoken to goes with each request, what opens a document is the command's
        to know, how long a household waits is its own affair, and which models are pinned it is
        told while it runs: those make no other.
        """
        documents = replace(self.settings.documents, viewer="")
        settings = replace(
            self.settings,
            interface=Interface(),
            household=Household(),
            documents=documents,
            pool=replace(self.settings.pool, pinned=()),
        )
        chosen = sorted(key for key in self.origins if key.startswith("worker."))
        told = f"{settings}|{chosen}|{self.folders.home}|{self.folders.weights}"
        told += f"|{self.visible_cards}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def load(environment: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Config:
    """Build the configuration once, for the whole program.

    Raises:
        UnknownConfigKey: a key, variable or flag that names no setting.
        BadConfig: a value of the wrong kind.
        BadConfigFile: a file that is not TOML, or no file.
        HomeNotUsable: a file that cannot be read.
    """
    folders = Folders.of(environment)
    known = {key: kind for key, (kind, _) in _fields().items()}
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    layers = (
        _from_file(folders.config_file),
        _from_environment(environment),
        [(key, value, Origin("flag", f"--set {key}")) for key, value in (flags or {}).items()],
    )
    for key, raw, origin in (found for layer in layers for found in layer):
        if key not in known:
            raise UnknownConfigKey(key=key, nearest=nearest(key, known), where=origin.where)
        values[key] = _value(key, raw, known[key], origin)
        origins[key] = origin
    settings = _rebuild(Settings(), values)
    _check_overlap(settings.documents, origins)
    return Config(settings, folders, origins, environment.get("CUDA_VISIBLE_DEVICES"))


def keys() -> tuple[str, ...]:
    """Every key, dotted."""
    return tuple(_fields())


def nearest(key: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """The valid key that looks most like this one."""
    last = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(key, list(known), 1, 0.5)
    tail = difflib.get_close_matches(key.rpartition(".")[2], list(last), 1, 0.6)
    any_at_all = difflib.get_close_matches(key, list(known), 1, 0.0)
    return close[0] if close else last[tail[0]] if tail else any_at_all[0]


def _fields(cls: type = Settings, prefix: str = "") -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Key -> its type, and the bounds it was declared with."""
    hints = typing.get_type_hints(cls)
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for item in dataclasses.fields(cls):
        kind = hints[item.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            found |= _fields(kind, f"{prefix}{item.name}.")
        else:
            found[f"{prefix}{item.name}"] = kind, item.metadata
    return found


def _from_file(path: Path) -> list[tuple[str, object, Origin]]:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except IsADirectoryError as error:
        raise BadConfigFile(path=path, reason=Sentence("config.folder")) from error
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
    try:
        text = content.decode("utf-8")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadConfigFile(path=path, reason=Sentence("config.not_utf8", line=line)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfigFile(path=path, reason=_not_toml(text, str(error))) from error
    return [
        (key, value, Origin("file", f"{path}:{_line(text, key)}")) for key, value in _flat(table)
    ]


def _not_toml(text: str, said: str) -> Sentence:
    """The parser's complaint, its place told as a line: "Invalid value (at end of document)"."""
    detail, _, place = said.removesuffix(")").rpartition(" (at ")
    at = re.match(r"line (\d+)", place)
    line = int(at[1]) if at else max(1, len(text.splitlines()))
    return Sentence("config.not_toml", line=line, detail=detail or said)


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _line(text: str, key: str) -> int:
    """The line a key stands on; TOML parsers do not tell."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            section = header[1].replace('"', "") + "."
        elif (name := re.match(r"\s*([\w.\"-]+)\s*=", line)) and section + name[1] == key:
            return number
    return 1


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, object, Origin]]:
    return [
        (name[len(_PREFIX) :].lower().replace("__", "."), value, Origin("environment", name))
        for name, value in sorted(environment.items())
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and not name.startswith(_OF_TESTS)
    ]


def _value(key: str, raw: object, kind: Any, origin: Origin) -> object:
    """The value a setting takes; text from variables and flags is read as its kind."""

    def refuse(reason: str) -> BadConfig:
        return BadConfig(key=key, value=raw, reason=reason, where=origin.where)

    if typing.get_origin(kind) is tuple:
        names = _names(raw, typing.get_args(typing.get_args(kind)[0]))
        if isinstance(names, Sentence):
            raise refuse(names)
        return names
    options = typing.get_args(kind) if not isinstance(kind, type | types.UnionType) else ()
    if options:
        if raw not in options:
            raise refuse(Sentence("config.one_of", choices=" | ".join(map(str, options))))
        return raw
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        found = raw if isinstance(raw, bool) else words.get(str(raw).lower())
        if found is None:
            raise refuse(Sentence("config.one_of", choices="true | false"))
        return found
    if kind is str:
        if not isinstance(raw, str):
            raise refuse(Sentence("config.text"))
        return raw
    try:
        if isinstance(raw, bool):
            raise TypeError(raw)
        number = parse_bytes(str(raw)) if key.endswith("_bytes") else kind(typing.cast("Any", raw))
    except (TypeError, ValueError) as error:
        raise refuse(_wanted(key, kind)) from error
    if not math.isfinite(number) or (kind is int and isinstance(raw, float)):
        raise refuse(_wanted(key, kind))
    bounds = _fields()[key][1]
    least, most = bounds.get("least", 0), bounds.get("most")
    if number < least or (most is not None and number > most):
        raise refuse(_bounds(key, least, most))
    return number


def _names(raw: object, choices: Sequence[str]) -> tuple[str, ...] | Sentence:
    """Each name once, or what is wrong with them; without choices any name will do."""
    listed = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return Sentence("config.names")
    names = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    if choices and not set(names) <= set(choices):
        return Sentence("config.of", choices=", ".join(choices))
    return names


def _bounds(key: str, least: float, most: float | None) -> Sentence:
    if most is not None:
        return Sentence("config.between", least=least, most=most)
    if key.endswith("_bytes"):
        return Sentence("config.size_at_least", least_bytes=least)
    return Sentence("config.at_least", least=least)


def _check_overlap(documents: Documents, origins: Mapping[str, Origin]) -> None:
    """A passage that is mostly the one before it would never end a document."""
    size, overlap = documents.passage_characters, documents.overlap_characters
    if 2 * overlap <= size:
        return
    key, value = "documents.overlap_characters", overlap
    reason = Sentence("config.half_a_passage", most=size // 2)
    if key not in origins:
        key, value = "documents.passage_characters", size
        reason = Sentence("config.twice_the_overlap", least=2 * overlap)
    raise BadConfig(key=key, value=value, reason=reason, where=origins[key].where)


def _wanted(key: str, kind: type) -> Sentence:
    if key.endswith("_bytes"):
        return Sentence("config.size")
    return Sentence("config.whole" if kind is int else "config.number")


def _rebuild(default: Any, values: Mapping[str, object], prefix: str = "") -> Any:
    changes = {}
    for item in dataclasses.fields(default):
        key, current = f"{prefix}{item.name}", getattr(default, item.name)
        if dataclasses.is_dataclass(current):
            changes[item.name] = _rebuild(current, values, f"{key}.")
        elif key in values:
            changes[item.name] = values[key]
    return dataclasses.replace(default, **changes)
