"""The values of a header by key, each held to what it has to be."""

from collections.abc import Mapping
from pathlib import Path

from lumbre.core.errors import BadWeights
from lumbre.formats.gguf_reader import Array, Value, bad_weights

_LARGEST = 2**32 - 1
"""Source: llama.cpp reads these values as uint32."""


class Said:
    """What a header says. Keys of the architecture are given without its name."""

    def __init__(
        self, metadata: Mapping[str, Value], path: Path | str, architecture: str = ""
    ) -> None:
        self._metadata = metadata
        self._path = path
        self._prefix = f"{architecture}." if architecture else ""

    def of(self, architecture: str) -> "Said":
        """The same header, for the keys of one architecture."""
        return Said(self._metadata, self._path, architecture)

    def bad(self, name: str, **facts: object) -> BadWeights:
        """The error to raise, for a reason of words/gguf.toml."""
        return bad_weights(self._path, name, **facts)

    def has(self, key: str) -> bool:
        return self._prefix + key in self._metadata

    def text(self, key: str) -> str | None:
        """A text; None where the file has none."""
        value = self._metadata.get(self._prefix + key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, value)
        return value

    def count(self, key: str, *, default: int | None = None) -> int:
        """A number from 0 on; missing only where there is a default."""
        value = self._metadata.get(self._prefix + key)
        if value is not None:
            return self._whole(key, value)
        if default is None:
            raise self.bad("missing", what=self._prefix + key)
        return default

    def by_layer(
        self, key: str, layers: int, *, default: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """One value for each layer, where the file has a list; else a single one."""
        value = self._metadata.get(self._prefix + key)
        if value is None and default is not None:
            return default
        if not isinstance(value, Array):
            return (self.count(key),)
        if value.items is None or value.count != layers:
            raise self._wrong(key, value)
        return tuple(self._whole(key, item) for item in value.items)

    def flags(self, key: str, layers: int, *, missing: bool) -> tuple[bool, ...] | None:
        """Yes or no for each layer; None where the file has no list. A list may be too short."""
        value = self._metadata.get(self._prefix + key)
        if not isinstance(value, Array):
            return None
        if value.items is None:
            raise self._wrong(key, value)
        listed = tuple(bool(item) for item in value.items[:layers])
        return listed + (missing,) * (layers - len(listed))

    def numbers(self, key: str) -> tuple[int, ...]:
        """A list of any length; empty where the file has none."""
        value = self._metadata.get(self._prefix + key)
        if value is None:
            return ()
        if not isinstance(value, Array) or value.items is None:
            raise self._wrong(key, value)
        return tuple(self._whole(key, item) for item in value.items)

    def length(self, key: str) -> int | None:
        """How many a list has; None where there is no list."""
        value = self._metadata.get(self._prefix + key)
        return value.count if isinstance(value, Array) else None

    def _whole(self, key: str, value: object) -> int:
        if type(value) is not int or not 0 <= value <= _LARGEST:
            raise self._wrong(key, value)
        return value

    def _wrong(self, key: str, value: object) -> BadWeights:
        shown = f"[{value.count}]" if isinstance(value, Array) else str(value)
        return self.bad("wrong_value", what=self._prefix + key, value=shown)
