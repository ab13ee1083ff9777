"""A manifest for weights that are already on the disk, read from their header.

Nothing is copied: the manifest names the file where it lies.
"""

import itertools
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from lumbre.core.errors import (
    CannotDo,
    DuplicateId,
    HomeNotUsable,
    NoChatTemplate,
    SplitWeights,
    UnknownModel,
)
from lumbre.core.model import CHAT_ROLES, Capability, Facts, Manifest, Role, Source, WeightsFile
from lumbre.formats.gguf import Header, bad_weights, facts_of, read_header
from lumbre.registry.events import Verifying
from lumbre.registry.folder import Registry
from lumbre.registry.manifest import save_manifest
from lumbre.registry.rules import check
from lumbre.registry.weights import sha256_of, unheard

_POOLING_NONE, _POOLING_RANK = 0, 4
"""Source: `enum llama_pooling_type` of llama.h."""
_BY_ASKING: dict[Role, Capability] = {"classifier": "classify", "router": "route"}
"""What a model that talks does by being asked the right question."""
_NAMELESS = re.compile(r"(sha256-)?[0-9a-f]{32,}|(ggml-)?model\b.*|weights|unknown|")
"""File names that say nothing of the model: blobs, the defaults of converters."""
_LONGEST_ID = 100
_LONGEST_SAID = 200


def manifest_from_file(
    path: Path,
    role: Role | None = None,
    *,
    model_id: str | None = None,
    report: Callable[[Verifying], None] = unheard,
) -> Manifest:
    """The manifest of a GGUF file; its checksum is computed, which reads the whole file.

    Without a role, weights that talk become a secondary, others an embedding or a rerank.

    Raises:
        BadWeights: its header cannot be believed.
        SplitWeights: it is one of several pieces.
        NoChatTemplate: asked to talk, and the file does not say how.
        CannotDo: asked for something its kind of weights does not do.
        BadManifest: `model_id` cannot be an id.
        HomeNotUsable: the file cannot be read to its end.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  a link's own name is the telling one
    if not _is_text(str(path)):
        raise bad_weights(Path(ascii(str(path))), "not_text", what=ascii(path.name))
    header = read_header(path)
    facts = facts_of(header, path)
    pieces = header.metadata.get("split.count", 1)
    if isinstance(pieces, int) and pieces > 1:
        raise SplitWeights(path=path, pieces=pieces)
    made_for = _made_for(header, facts.architecture)
    role = role or made_for
    capability = _capability(path, facts, role, made_for)
    try:
        sha256 = sha256_of(path, report)
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
    manifest = Manifest(
        id=_id(path, facts) if model_id is None else model_id,
        family=_slug(facts.architecture) or "unknown",
        role=role,
        format="gguf",
        capabilities=(capability,),
        revision=_said(header, "general.version") or "local",
        path=str(path),
        quant=facts.quant,
        checksum_sha256=sha256,
        context_length=facts.context_length or None,
        embedding=True if role == "embedding" else None,
        description=_said(header, "general.name"),
        license=_said(header, "general.license"),
        files=(WeightsFile(path=str(path), sha256=sha256, size_bytes=facts.file_bytes),),
        sources=(Source(uri=path.as_uri()),),
    )
    check(manifest, path)
    return manifest


def write(folder: Path, manifest: Manifest) -> Path:
    """Put a manifest into the registry folder; returns its file.

    Raises:
        DuplicateId: a model with this id is there.
        BadManifest: one with this id is there and cannot be used.
        DiskFull, HomeNotUsable: the folder cannot be written.
    """
    names = (f"{manifest.id}{n}.yaml" for n in itertools.chain([""], itertools.count(2)))
    path = next(folder / name for name in names if not (folder / name).exists())
    try:
        other = Registry(folder).path_of(manifest.id)
    except UnknownModel:
        save_manifest(manifest, path)
        return path
    raise DuplicateId(path=path, id=manifest.id, other=other)


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
    name = _slug(path.name.removesuffix(".gguf"))
    if _NAMELESS.fullmatch(name):
        name = _slug(facts.name) or _slug(facts.architecture) or "model"
        name = name if quant in name else f"{name}-{quant}"
    # Many files are called Name.Q4_K_M.gguf, and ids are written with a dash there.
    if name.endswith(f".{quant}"):
        name = f"{name.removesuffix(f'.{quant}')}-{quant}"
    return name[:_LONGEST_ID]


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"-{2,}", "-", re.sub(r"[^\w.+-]", "-", plain)).strip("-._+")


def _said(header: Header, key: str) -> str:
    value = header.metadata.get(key)
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable())[:_LONGEST_SAID].strip()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
