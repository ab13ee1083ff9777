"""What a file that describes a machine says, checked key by key: a table becomes a `Host`."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lumbre.core.errors import BadMachine
from lumbre.core.machine import CPU, Device, DeviceKind, Host
from lumbre.hardware.amounts import read_compute, read_link, read_rate, read_size
from lumbre.words import Sentence

_MACHINE_KEYS = (
    *("name", "processor", "cores", "architecture", "instruction_sets"),
    *("driver", "cuda", "disk", "memory", "cards", "sources"),
)
_MEMORY_KEYS = ("total", "system", "bandwidth", "compute", "sources")
_CARD_KEYS = (
    *("id", "name", "kind", "memory", "system", "bandwidth", "compute"),
    *("compute_capability", "link", "sources"),
)
_KINDS: tuple[DeviceKind, ...] = ("cuda", "rocm", "metal", "vulkan")
_ID = re.compile(r"[a-z][a-z0-9_]{0,15}", re.ASCII)
_CAPABILITY = re.compile(r"\d{1,2}\.\d", re.ASCII)
_MOST_CHARACTERS = 100
_MOST_CORES = 4096
_MOST_CARDS = 32
_LEAST_BYTES, _MOST_BYTES = 2**26, 2**46
_LEAST_RATE, _MOST_RATE = 1e6, 1e15
_LEAST_FLOPS, _MOST_FLOPS = 1e6, 1e18
_SYSTEM_BYTES = 2 * 2**30
"""A desktop session and its everyday programs; never more than a quarter of the memory."""
_CARD_SYSTEM_BYTES = 2**29
"""A desktop's windows and the driver; never more than a quarter."""
_SHOWN_CHARACTERS = 60

_T = TypeVar("_T")
Table = Mapping[str, object]


def host_of(table: Table, path: Path) -> Host:
    """The machine of a table that was read from `path`.

    Raises:
        BadMachine: an unknown, missing or impossible value, named by its key.
    """
    top = _Section(table, path, "", _MACHINE_KEYS)
    top.require("memory", "cores")
    memory = _Section(top.table("memory"), path, "memory.", _MEMORY_KEYS)
    total_bytes = memory.size("total")
    cards = top.tables("cards")
    host = Host(
        name=top.text("name", path.stem),
        devices=(
            Device(
                id=CPU,
                kind="cpu",
                name=top.text("processor", top.text("architecture", "x86_64")),
                total_bytes=total_bytes,
                free_bytes=total_bytes - memory.system(total_bytes, _SYSTEM_BYTES),
                bandwidth_bytes_per_s=memory.rate("bandwidth"),
                compute_flops=memory.compute("compute"),
            ),
            *(
                _card(_Section(card, path, f"cards[{at}].", _CARD_KEYS), at)
                for at, card in enumerate(cards)
            ),
        ),
        cores=top.whole("cores", 1, _MOST_CORES),
        architecture=top.text("architecture", "x86_64"),
        instruction_sets=top.texts("instruction_sets"),
        driver=top.text_or_none("driver"),
        cuda=top.text_or_none("cuda"),
        disk_bytes_per_s=top.rate("disk"),
        is_described=True,
    )
    _check_ids(host, path)
    return host


def _card(card: "_Section", at: int) -> Device:
    card.require("memory", "kind", "name")
    total_bytes = card.size("memory")
    return Device(
        id=card.read("id", _an_id, Sentence("hardware.machine.id"), f"gpu{at}"),
        kind=card.choice("kind", _KINDS),
        name=card.text("name"),
        total_bytes=total_bytes,
        free_bytes=total_bytes - card.system(total_bytes, _CARD_SYSTEM_BYTES),
        bandwidth_bytes_per_s=card.rate("bandwidth"),
        compute_flops=card.compute("compute"),
        link_bytes_per_s=card.rate("link", read_link, Sentence("hardware.machine.link")),
        compute_capability=card.read(
            "compute_capability", _a_capability, Sentence("hardware.machine.capability"), None
        ),
    )


def _check_ids(host: Host, path: Path) -> None:
    seen: set[str] = set()
    for at, card in enumerate(host.cards):
        if card.id in seen:
            raise _bad(path, f"cards[{at}].id", card.id, Sentence("hardware.machine.twice"))
        seen.add(card.id)


_MISSING = object()


@dataclass(frozen=True, slots=True)
class _Section:
    """One table of the file, whose keys are known."""

    values: Table
    path: Path
    prefix: str
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in self.values:
            if key not in self.keys:
                near = difflib.get_close_matches(key, self.keys, 1, 0.0)[0]
                facts = {"key": self.name_of(key), "nearest": self.name_of(near)}
                reason = Sentence("hardware.machine.unknown_key", **facts)
                value = _shown(self.values[key])
                raise BadMachine(path=self.path, key=facts["key"], value=value, reason=reason)
        sources = self.values.get("sources", {})
        if not isinstance(sources, dict):
            raise self.bad("sources", Sentence("hardware.machine.table", key="sources"))
        for key in sources:
            if key == "sources" or key not in self.values:
                name, why = self.name_of(f"sources.{key}"), Sentence("hardware.machine.no_source")
                raise _bad(self.path, name, sources[key], why)

    def require(self, *keys: str) -> None:
        """All that is missing is told at once."""
        missing = [self.name_of(key) for key in keys if key not in self.values]
        if missing:
            reason = Sentence("hardware.machine.missing", key=missing)
            raise BadMachine(path=self.path, key=missing[0], value=None, reason=reason)

    def name_of(self, key: str) -> str:
        """As a person finds it in the file."""
        return f"{self.prefix}{key}"[:_SHOWN_CHARACTERS]

    def bad(self, key: str, why: Sentence) -> BadMachine:
        return _bad(self.path, self.name_of(key), self.values.get(key), why)

    def read(
        self,
        key: str,
        reader: Callable[[object], _T],
        wanted: Sentence,
        default: object = _MISSING,
    ) -> _T:
        """A value that `reader` takes; without one, the default, or it is missing."""
        if key not in self.values:
            if default is _MISSING:
                self.require(key)
            return default  # type: ignore[return-value]
        try:
            return reader(self.values[key])
        except (ValueError, TypeError) as error:
            raise self.bad(key, wanted) from error

    def text(self, key: str, default: object = _MISSING) -> str:
        wanted = Sentence("hardware.machine.text", most=_MOST_CHARACTERS)
        return self.read(key, _a_line, wanted, default)

    def text_or_none(self, key: str) -> str | None:
        return self.text(key) if key in self.values else None

    def texts(self, key: str) -> tuple[str, ...]:
        return self.read(key, _lines, Sentence("hardware.machine.texts"), ())

    def whole(self, key: str, least: int, most: int) -> int:
        wanted = Sentence("hardware.machine.whole", least=least, most=most)

        def reader(value: object) -> int:
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(value)
            return _within(value, least, most)

        return self.read(key, reader, wanted)

    def choice(self, key: str, choices: tuple[DeviceKind, ...]) -> DeviceKind:
        wanted = Sentence("hardware.machine.one_of", choices=", ".join(choices))
        return self.read(key, lambda value: choices[choices.index(value)], wanted)

    def size(self, key: str, least: int = _LEAST_BYTES, most: int = _MOST_BYTES) -> int:
        wanted = Sentence("hardware.machine.size", least_bytes=least, most_bytes=most)
        return self.read(key, lambda value: _within(read_size(value), least, most), wanted)

    def system(self, total_bytes: int, usual_bytes: int) -> int:
        """What the system holds of this memory; some of it stays."""
        if "system" not in self.values:
            return min(usual_bytes, total_bytes // 4)
        system_bytes = self.size("system", 0)
        if system_bytes >= total_bytes:
            wanted = Sentence("hardware.machine.system", total_bytes=total_bytes)
            raise self.bad("system", wanted)
        return system_bytes

    def rate(
        self,
        key: str,
        reader: Callable[[object], float] = read_rate,
        wanted: Sentence | None = None,
    ) -> float | None:
        wanted = wanted or Sentence(
            "hardware.machine.rate", least_bytes=_LEAST_RATE, most_bytes=_MOST_RATE
        )

        def read(value: object) -> float | None:
            return _within(reader(value), _LEAST_RATE, _MOST_RATE)

        return self.read(key, read, wanted, None)

    def compute(self, key: str) -> float | None:
        def read(value: object) -> float | None:
            return _within(read_compute(value), _LEAST_FLOPS, _MOST_FLOPS)

        return self.read(key, read, Sentence("hardware.machine.compute"), None)

    def table(self, key: str) -> Table:
        return self.read(key, _a_table, Sentence("hardware.machine.table", key=key))

    def tables(self, key: str) -> tuple[Table, ...]:
        wanted = Sentence("hardware.machine.tables", key=key, most=_MOST_CARDS)

        def reader(value: object) -> tuple[Table, ...]:
            if not isinstance(value, list) or len(value) > _MOST_CARDS:
                raise ValueError(value)
            return tuple(_a_table(item) for item in value)

        return self.read(key, reader, wanted, ())


_N = TypeVar("_N", int, float)


def _within(number: _N, least: float, most: float) -> _N:
    if not least <= number <= most:
        raise ValueError(number)
    return number


def _a_table(value: object) -> Table:
    if not isinstance(value, dict):
        raise ValueError(value)
    return value


def _a_line(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_CHARACTERS:
        raise ValueError(value)
    if not value.isprintable() or not value.strip():
        raise ValueError(value)
    return value


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(value)
    return tuple(_a_line(item) for item in value)


def _an_id(value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value) or value == CPU:
        raise ValueError(value)
    return value


def _a_capability(value: object) -> str | None:
    if not isinstance(value, str) or not _CAPABILITY.fullmatch(value):
        raise ValueError(value)
    return value


def _bad(path: Path, key: str, value: object, why: Sentence) -> BadMachine:
    shown = _shown(value)
    reason = Sentence("hardware.machine.value", key=key, value=shown, why=why)
    return BadMachine(path=path, key=key, value=shown, reason=reason)


def _shown(value: object) -> str:
    """A value in a sentence, however long it is."""
    text = value if isinstance(value, str) else f"{value!s:.200}"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
