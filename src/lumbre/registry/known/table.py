"""What is known of models whose weights are not here: numbers, sizes, licence, and where from.

The table is models.toml beside this file. Nothing of it is read before the first question.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from lumbre.core.model import CHAT_ROLES, Capability, Facts, Format, Manifest, Role, WeightsFile
from lumbre.registry.known.mix import tensors_of
from lumbre.registry.known.shape import Shape, caches_of

_TABLE = Path(__file__).with_name("models.toml")
_QUANTS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M")
_USUAL = "Q4_K_M"
_ADAPTERS: Mapping[str, str] = {"gguf": "llama_cpp", "onnx": "onnx", "ctranslate2": "whisper"}
_IDLE_WORDS = re.compile(r"-(?:instruct|it|chat|gguf)(?=-|$)")
"""Parts of a name that tell no two of these models apart."""
_REPOSITORY = re.compile(r"(?P<name>[\w-]+/[\w.-]+)(?: \((?P<quant>\w+)\))?")
_NAMED_QUANTS = (*_QUANTS, "F16")
"""Some repositories hold one quant, and say so in their name."""
ARITHMETIC = "arithmetic"
"""What a size stands on that was not published: the tensors its quant makes of its numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One model in one quant."""

    id: str
    base: str
    """The id without its quant."""
    name: str
    quant: str
    usual: bool
    """The quant most people take."""
    role: Role
    """What it is good for, unless its household says otherwise."""
    capabilities: tuple[Capability, ...]
    format: Format
    licence: str
    numbers: str
    """Where its architecture, or the bytes its process holds, were read."""
    files: str
    """Where its size was read."""
    listed_bytes: int = 0
    """Of its file, as published; 0: arithmetic."""
    shape: Shape | None = None
    """None: not a GGUF."""
    sibling: tuple[str, int] = ("", 0)
    """A quant of the same model and its file's bytes: what it has beside its tensors, all
    have. Without a quant: those bytes themselves."""
    fixed_bytes: int = 0
    """What the process of a file that is no GGUF was measured to hold; 0: nobody said."""
    beside_bytes: int = 0
    """A projector's file, for pictures and sounds."""
    context_tokens: int = 0
    """Trained for; 0: it has no context."""
    aliases: tuple[str, ...] = ()
    is_advised: bool = True
    """Worth taking today."""

    @property
    def facts(self) -> Facts | None:
        """As a header would give them; None where it is not a GGUF."""
        if self.shape is None:
            return None
        return _facts(self.shape, self.quant, self.sibling, self.listed_bytes)

    @property
    def file_bytes(self) -> int:
        facts = self.facts
        return self.listed_bytes if facts is None else facts.file_bytes

    @property
    def parameters(self) -> int:
        """Numbers in its tensors, none counted twice; 0: not known."""
        if self.shape is None or self.facts is None:
            return 0
        copied = self.shape.embedding * self.shape.vocabulary * self.shape.output_copied
        return sum(prod(tensor.shape) for tensor in self.facts.tensors) - copied

    @property
    def address(self) -> str:
        """Of the repository its size was read in, as `lumbre models add` takes it; may be empty."""
        if self.shape is None:
            return ""
        for told in self.files.split(", "):
            found = _REPOSITORY.fullmatch(told)
            if found is None or found["quant"] not in (None, self.quant):
                continue
            named = [quant for quant in _NAMED_QUANTS if f"-{quant}-" in found["name"]]
            if not named or self.quant in named:
                return f"hf:{found['name']}"
        return ""

    @property
    def chats(self) -> bool:
        return self.role in CHAT_ROLES or "chat" in self.capabilities

    def manifest(self, *, role: Role | None = None) -> Manifest:
        """As its owner would describe it, were its weights here: no checksum, no source."""
        return Manifest(
            id=self.id,
            family=self.base,
            role=role or self.role,
            format=self.format,
            capabilities=self.capabilities,
            revision="known",
            quant=self.quant,
            context_length=self.context_tokens or None,
            adapter=_ADAPTERS[self.format],
            embedding="embed" in self.capabilities or None,
            description=self.name,
            license=self.licence,
            files=self._weights(),
            metadata={"resident_bytes": self.fixed_bytes} if self.fixed_bytes else {},
        )

    def _weights(self) -> tuple[WeightsFile, ...]:
        main = WeightsFile(path=self.id, sha256="", size_bytes=self.file_bytes)
        if not self.beside_bytes:
            return (main,)
        projector = WeightsFile(
            path=f"{self.id}-projector",
            sha256="",
            size_bytes=self.beside_bytes,
            part="projector",
        )
        return (main, projector)


@cache
def known_models() -> tuple[KnownModel, ...]:
    """Every known model in each of its quants, largest quant first."""
    with _TABLE.open("rb") as file:
        rows = tomllib.load(file)["model"]
    return tuple(model for row in rows for model in _models(row))


def find_known(name: str) -> KnownModel | None:
    """The model meant by an id, an id without its quant, or another name people use.

    `llama-3.3-70b-q4_k_m`, `Llama-3.3-70B-Instruct-Q4_K_M.gguf`, `llama3.3:70b`; without a
    quant the usual one is meant.
    """
    return _names().get(_plain(name))


def nearest_known(name: str) -> list[str]:
    """Ids without a quant that are written like a name, nearest first; at most three."""
    bases = dict.fromkeys(model.base for model in known_models())
    return difflib.get_close_matches(_plain(name), bases, 3, 0.6)


@cache
def _names() -> Mapping[str, KnownModel]:
    names: dict[str, KnownModel] = {}
    for model in known_models():
        for base in (model.base, *model.aliases):
            names.setdefault(_plain(f"{base}-{model.quant}"), model)
            if model.usual:
                names[_plain(base)] = model
    return names


def _plain(name: str) -> str:
    return _IDLE_WORDS.sub("", name.strip().lower().removesuffix(".gguf"))


def _models(row: Mapping[str, Any]) -> Iterator[KnownModel]:
    capabilities = tuple(row.get("capabilities", ()))
    role = row.get("role", "primary")
    if role in CHAT_ROLES:
        capabilities = ("chat", *capabilities)
    shared: dict[str, Any] = {
        "base": row["id"],
        "name": row["name"],
        "role": role,
        "capabilities": capabilities,
        "licence": row["licence"],
        "numbers": row["numbers"],
        "aliases": tuple(row.get("aliases", ())),
        "is_advised": row.get("advised", ARITHMETIC not in row["numbers"]),
    }
    if "shape" not in row:
        yield KnownModel(**shared, **_bare(row))
        return
    shape = Shape(
        **row["shape"] | {"attention_layers": tuple(row["shape"].get("attention_layers", ()))}
    )
    listed = row.get("listed", {})
    sibling = next(iter(listed.items()), ("", row.get("header", 0)))
    usual = row.get("usual", _USUAL)
    for quant in row.get("quants", _QUANTS):
        yield KnownModel(
            id=f"{row['id']}-{quant.lower()}",
            quant=quant,
            usual=quant == usual,
            format="gguf",
            files=row["files"],
            listed_bytes=listed.get(quant, 0),
            shape=shape,
            sibling=sibling,
            beside_bytes=row.get("beside", 0),
            context_tokens=shape.context,
            **shared,
        )


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "quant": row["quant"],
        "usual": True,
        "format": row["format"],
        "files": row["numbers"],
        "listed_bytes": row["file_bytes"],
        "fixed_bytes": row.get("fixed_bytes", 0),
        "context_tokens": row.get("context", 0),
    }


@cache
def _facts(shape: Shape, quant: str, sibling: tuple[str, int], listed_bytes: int) -> Facts:
    tensors = tensors_of(shape, quant)
    other, beside_bytes = sibling
    if other and not listed_bytes:
        beside_bytes -= sum(tensor.size_bytes for tensor in tensors_of(shape, other))
    tensors_bytes = sum(tensor.size_bytes for tensor in tensors)
    return Facts(
        architecture=shape.architecture,
        name="",
        quant=quant,
        layers=shape.layers,
        embedding_length=shape.embedding,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        key_length=shape.head,
        value_length=shape.head,
        context_length=shape.context,
        vocabulary=shape.vocabulary,
        chat_template=None,
        tensors=tensors,
        file_bytes=listed_bytes or beside_bytes + tensors_bytes,
        kv_heads_by_layer=_kv_heads_by_layer(shape),
        caches=caches_of(shape),
        experts=shape.experts,
        experts_used=shape.experts_used,
    )


def _kv_heads_by_layer(shape: Shape) -> tuple[int, ...]:
    if not shape.attention_layers:
        return ()
    return tuple(shape.kv_heads if shape.attends(i) else 0 for i in range(shape.layers))
