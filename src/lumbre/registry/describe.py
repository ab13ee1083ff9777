"""What a weights file is as a model of the household, told by its header and its name."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.errors import CannotDo, NoChatTemplate, SplitWeights, WrongPart
from lumbre.core.model import CHAT_ROLES, Capability, Facts, Manifest, Role, Source, WeightsFile
from lumbre.formats.gguf import Header, facts_of
from lumbre.formats.gguf_architectures import PROJECTOR
from lumbre.registry.rules import check
from lumbre.words import Sentence

_POOLING_NONE, _POOLING_RANK = 0, 4
"""Source: `enum llama_pooling_type` of llama.h."""
_BY_ASKING: dict[Role, Capability] = {"classifier": "classify", "router": "route"}
"""What a model that talks does by being asked the right question."""
_NAMELESS = re.compile(r"(sha256-)?[0-9a-f]{32,}|(ggml-)?model\b.*|weights|unknown|")
"""File names that say nothing of the model: blobs, the defaults of converters."""
_PIECE = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
"""Source: llama.cpp, llama_split_path: "%s-%05d-of-%05d.gguf"."""
_LONGEST_ID = 100
_LONGEST_SAID = 200


@dataclass(frozen=True, slots=True)
class Description:
    """A file as a model, whatever its place."""

    id: str
    family: str
    role: Role
    capability: Capability
    quant: str
    context_tokens: int | None
    revision: str
    name: str
    license: str
    size_bytes: int


def described(header: Header, path: Path, role: Role | None = None) -> Description:
    """What a header makes of a file; `path` names it in errors and gives its id.

    Without a role, weights that talk become a secondary, others an embedding or a rerank.

    Raises:
        BadWeights: its header cannot be believed.
        WrongPart: it is the eyes of another model.
        SplitWeights: it is one of several pieces.
        NoChatTemplate: asked to talk, and the file does not say how.
        CannotDo: asked for something its kind of weights does not do.
    """
    if is_projector(header):
        raise WrongPart(path=path, reason=Sentence("models.projector"))
    pieces = header.metadata.get("split.count", 1)
    if isinstance(pieces, int) and pieces > 1:
        raise SplitWeights(path=path, pieces=pieces)
    facts = facts_of(header, path)
    made_for = _made_for(header, facts.architecture)
    role = role or made_for
    return Description(
        id=_id(path, facts),
        family=slug(facts.architecture) or "unknown",
        role=role,
        capability=_capability(path, facts, role, made_for),
        quant=facts.quant,
        context_tokens=facts.context_length or None,
        revision=_said(header, "general.version"),
        name=_said(header, "general.name"),
        license=_said(header, "general.license"),
        size_bytes=facts.file_bytes,
    )


def manifest_of(
    model: Description,
    files: Sequence[WeightsFile],
    sources: Sequence[Source],
    path: Path,
    *,
    model_id: str | None = None,
    revision: str = "",
    license: str = "",  # noqa: A002 - the manifest's own word
) -> Manifest:
    """A manifest of what was described; what the header does not say, the publisher may.

    Raises:
        BadManifest: it breaks a rule, as an id that cannot be one; `path` is the file to name.
    """
    manifest = Manifest(
        id=model.id if model_id is None else model_id,
        family=model.family,
        role=model.role,
        format="gguf",
        capabilities=(model.capability,),
        revision=revision or model.revision or "local",
        path=files[0].path,
        quant=model.quant,
        checksum_sha256=files[0].sha256,
        context_length=model.context_tokens,
        embedding=True if model.role == "embedding" else None,
        description=model.name,
        license=license or model.license,
        files=tuple(files),
        sources=tuple(sources),
    )
    check(manifest, path)
    return manifest


def is_projector(header: Header) -> bool:
    """Whether a file is what another model sees or hears with."""
    return header.metadata.get("general.architecture") == PROJECTOR


def pieces_of(name: str) -> int:
    """How many pieces the weights have that a file of this name is one of; 1: it is whole."""
    match = _PIECE.search(name)
    return int(match[2]) if match else 1


def slug(text: str) -> str:
    """Text as an id is written."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"-{2,}", "-", re.sub(r"[^\w.+-]", "-", plain)).strip("-._+")[:_LONGEST_ID]


def first_line(text: str) -> str:
    """What a long text, a license say, calls itself."""
    lines = (line.strip() for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return "".join(char for char in line if char.isprintable())[:_LONGEST_SAID]


def _made_for(header: Header, architecture: str) -> Role:
    """What the file's own keys say: how its vectors are pooled, or that it looks both ways."""
    pooling = header.metadata.get(f"{architecture}.pooling_type", _POOLING_NONE)
    if pooling == _POOLING_RANK:
        return "rerank"
    looks_back_only = header.metadata.get(f"{architecture}.attention.causal", True)
    return "secondary" if pooling == _POOLING_NONE and looks_back_only else "embedding"


def _capability(path: Path, facts: Facts, role: Role, made_for: Role) -> Capability:
    if role == "embedding":
        return "embed"
    if role == "rerank" and made_for == "rerank":
        return "rerank"
    talks = role in CHAT_ROLES or role in _BY_ASKING
    if not talks or made_for != "secondary":
        raise CannotDo(model=path.name, what=role)
    if facts.chat_template is None:
        raise NoChatTemplate(path=path, role=role)
    return _BY_ASKING.get(role, "chat")


def _id(path: Path, facts: Facts) -> str:
    """The file's name, which its owner knows; where that says nothing, the header's."""
    quant = facts.quant.lower()
    name = slug(path.name.removesuffix(".gguf"))
    if _NAMELESS.fullmatch(name):
        name = slug(facts.name) or slug(facts.architecture) or "model"
        name = name if quant in name else f"{name}-{quant}"
    # Many files are called Name.Q4_K_M.gguf, and ids are written with a dash there.
    if name.endswith(f".{quant}"):
        name = f"{name.removesuffix(f'.{quant}')}-{quant}"
    return name[:_LONGEST_ID]


def _said(header: Header, key: str) -> str:
    value = header.metadata.get(key)
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable())[:_LONGEST_SAID].strip()
