"""Models that other programs keep on this machine, found without changing a byte of theirs.

One file here per kind of store; each says where its program keeps weights, whether a folder
is laid out that way, and what lies in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lumbre.core.model import Part
from lumbre.words import Sentence

Kind = Literal["ollama", "hub", "lm_studio", "llama_cpp", "gpt4all", "jan", "folder"]
_SHARED = Path("/usr/share/ollama/.ollama/models")
"""Source: docs/faq.mdx of github.com/ollama/ollama, "Where are models stored?"."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A second file of a model: what it sees with, or what it was adapted by."""

    part: Part
    path: Path
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A model in a store, or what might have been one."""

    kind: Kind
    name: str
    """As its program calls it."""
    path: Path
    sha256: str | None = None
    """As the store names its files by; compared with the bytes at first use."""
    others: tuple[Beside, ...] = ()
    license: str = ""
    suggested_id: str = ""
    """Where the file's own name says less than its place."""
    trouble: Sentence | None = None
    """Why it cannot be used, where the store itself tells."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to look into."""

    kind: Kind
    folder: Path


class Looks(Protocol):
    """What the module of a store offers."""

    def is_one(self, folder: Path) -> bool:
        """Whether a folder is laid out as this store's are."""
        ...

    def found(self, folder: Path, kind: Kind) -> Iterator[Found]:
        """What lies in it. Never raises: what cannot be read is found with its trouble."""
        ...


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What tells where programs keep their weights."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    shared: Path = _SHARED


def places(where: Whereabouts) -> tuple[Place, ...]:
    """The folders of known programs that are there.

    Sources: Ollama's docs/faq.mdx; huggingface.co/docs/hub/local-cache;
    lmstudio.ai/docs/basics/import-model, and lms-common's findLMStudioHome for the pointer;
    fs_get_cache_directory of llama.cpp's common/common.cpp; docs.gpt4all.io; Jan's data
    folder is as its own settings page shows it.
    """
    home, said = where.home, where.environment
    cache = _folder(said.get("XDG_CACHE_HOME")) or home / ".cache"
    library = home / "Library"
    hub_home = _folder(said.get("HF_HOME")) or cache / "huggingface"
    wanted: list[tuple[Kind, Path | None]] = [
        ("ollama", _folder(said.get("OLLAMA_MODELS")) or home / ".ollama" / "models"),
        ("ollama", where.shared),
        ("hub", _folder(said.get("HF_HUB_CACHE")) or hub_home / "hub"),
        ("lm_studio", _pointed(home / ".lmstudio-home-pointer")),
        ("lm_studio", home / ".lmstudio" / "models"),
        ("lm_studio", home / ".cache" / "lm-studio" / "models"),
        ("llama_cpp", _folder(said.get("LLAMA_CACHE")) or cache / "llama.cpp"),
        ("llama_cpp", library / "Caches" / "llama.cpp"),
        ("gpt4all", home / ".local" / "share" / "nomic.ai" / "GPT4All"),
        ("gpt4all", library / "Application Support" / "nomic.ai" / "GPT4All"),
        ("jan", home / ".local" / "share" / "Jan" / "data" / "llamacpp" / "models"),
        ("jan", library / "Application Support" / "Jan" / "data" / "llamacpp" / "models"),
    ]
    found: dict[Path, Place] = {}
    for kind, folder in wanted:
        if folder is not None and _is_folder(folder):
            found.setdefault(folder.resolve(), Place(kind, folder))
    return tuple(found.values())


def look(place: Place) -> Iterator[Found]:
    """What lies in a folder, by whichever layout it has."""
    from lumbre.registry.scan import _files, _hub_cache, _ollama

    inside = place.folder / "models"
    if not _ollama.is_one(place.folder) and _ollama.is_one(inside):
        place = Place(place.kind, inside)
    if not _hub_cache.is_one(place.folder) and _hub_cache.is_one(place.folder / "hub"):
        place = Place(place.kind, place.folder / "hub")
    layouts: tuple[tuple[Looks, Kind], ...] = ((_ollama, "ollama"), (_hub_cache, "hub"))
    for layout, kind in layouts:
        if layout.is_one(place.folder):
            yield from layout.found(place.folder, kind if place.kind == "folder" else place.kind)
            return
    yield from _files.found(place.folder, place.kind)


def trouble(name: str, /, **facts: object) -> Sentence:
    """Why something that was found cannot be used; a sentence of words/models.toml."""
    return Sentence(f"models.trouble.{name}", **facts)


def _folder(text: str | None) -> Path | None:
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:  # no such user
        return None


def _pointed(pointer: Path) -> Path | None:
    try:
        folder = _folder(pointer.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None
    return folder / "models" if folder else None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
