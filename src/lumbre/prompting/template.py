"""The words a model is addressed with: data files, known by the hash of their bytes."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lumbre.words import Language

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Template:
    """One template in its languages."""

    id: str
    """The first half of the sha256 of its file: an answer that names it can be replayed."""
    texts: Mapping[Language, Mapping[str, str]]
    lists: Mapping[Language, Mapping[str, tuple[str, ...]]]

    def text(self, name: str, language: Language, **places: object) -> str:
        """A text with its {places} filled; a brace in a value stays as it is."""
        return self.texts[language][name].strip().format_map(places)


def template(name: str, folder: Path = _FOLDER) -> Template:
    """The template as its file is now; parsed again only when the file's bytes changed."""
    return _parsed((folder / f"{name}.toml").read_bytes())


def names(folder: Path = _FOLDER) -> tuple[str, ...]:
    """Every template there is."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


@lru_cache(maxsize=64)
def _parsed(data: bytes) -> Template:
    tables: dict[Any, dict[str, str | list[str]]] = tomllib.loads(data.decode())
    return Template(
        id=hashlib.sha256(data).hexdigest()[:32],
        texts={
            language: {name: text for name, text in table.items() if isinstance(text, str)}
            for language, table in tables.items()
        },
        lists={
            language: {name: tuple(text) for name, text in table.items() if isinstance(text, list)}
            for language, table in tables.items()
        },
    )
