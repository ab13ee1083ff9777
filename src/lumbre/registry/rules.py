"""What a manifest has to keep to, beyond each field having the right kind of value.

Each rule has its own error. The rules between manifests are the folder's.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from lumbre.core.errors import (
    CapabilityMissing,
    IdleWithoutOnDemand,
    ManifestMissingField,
    ManifestWrongType,
    PathClimbsOut,
    PrimaryOnDemand,
    ReasoningNotAllowed,
)
from lumbre.core.model import CHAT_ROLES, Capability, Manifest, Role
from lumbre.words import Sentence

_ID = re.compile(r"[^\W_][\w.:+-]{0,127}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:.+")
_PACKAGE = re.compile(r"package:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/(.+)", re.ASCII)
_TALKS: tuple[Capability, ...] = ("chat", "reasoning", "judge", "plan", "tools", "code")
_PROMISES: dict[Role, tuple[Capability, ...]] = {
    **dict.fromkeys(CHAT_ROLES, _TALKS),
    "embedding": ("embed",),
    "rerank": ("rerank",),
    "stt": ("stt",),
    "tts": ("tts",),
    "vad": ("vad",),
    "ocr": ("ocr",),
    "vision": ("vision",),
    "classifier": ("classify",),
    "router": ("route", "classify"),
}
"""A role needs one of its capabilities; the first is the one to name."""


def check(manifest: Manifest, path: Path) -> None:
    """Hold a manifest to every rule that concerns it alone; `path` is the file to name.

    Raises:
        BadManifest: the leaf of the first rule it breaks.
    """
    _check_present(manifest, path)
    for field, value, reason in _wrong_values(manifest):
        raise ManifestWrongType(path=path, field=field, value=value, reason=reason)
    for weights in manifest.weights:
        if not _stays_inside(weights.path) and not _is_where_it_was_added(weights.path, manifest):
            raise PathClimbsOut(path=path, value=weights.path)
    if manifest.role == "primary" and manifest.loads == "on_demand":
        raise PrimaryOnDemand(path=path, id=manifest.id)
    if manifest.idle_unload_seconds is not None and manifest.loads != "on_demand":
        raise IdleWithoutOnDemand(path=path, id=manifest.id)
    thinks = manifest.role == "optional_moe" or {"plan", "judge"} & set(manifest.capabilities)
    if manifest.reasoning_modes and not thinks:
        raise ReasoningNotAllowed(path=path, id=manifest.id)
    promised = _PROMISES[manifest.role]
    if not set(promised) & set(manifest.capabilities):
        raise CapabilityMissing(
            path=path, id=manifest.id, role=manifest.role, capability=promised[0]
        )


def _check_present(manifest: Manifest, path: Path) -> None:
    required: list[tuple[str, object]] = [
        ("id", manifest.id),
        ("family", manifest.family),
        ("revision", manifest.revision),
    ]
    if manifest.format != "remote":
        required += [
            ("path", manifest.path),
            ("quant", manifest.quant),
            ("checksum_sha256", manifest.checksum_sha256),
        ]
    if manifest.role in CHAT_ROLES:
        required.append(("context_length", manifest.context_length))
    for field, value in required:
        if value is None or value == "":
            raise ManifestMissingField(path=path, field=field)


def _wrong_values(manifest: Manifest) -> Iterator[tuple[str, object, Sentence]]:
    if not _ID.fullmatch(manifest.id):
        yield "id", manifest.id, Sentence("manifest.id")
    yield from _wrong_numbers(manifest)
    sums = [("checksum_sha256", manifest.checksum_sha256)]
    sums += [(f"files[{n}].sha256", file.sha256) for n, file in enumerate(manifest.files)]
    for field, value in sums:
        if value is not None and not _SHA256.fullmatch(value):
            yield field, value, Sentence("manifest.sha256")
    if manifest.files and manifest.path is not None:
        first = manifest.files[0]
        if first.path != manifest.path:
            yield "files[0].path", first.path, Sentence("manifest.same_as", field="path")
        if first.sha256.lower() != (manifest.checksum_sha256 or first.sha256).lower():
            same = Sentence("manifest.same_as", field="checksum_sha256")
            yield "files[0].sha256", first.sha256, same
    names = [file.path for file in manifest.weights]
    for n, source in enumerate(manifest.sources):
        if not _SCHEME.fullmatch(source.uri):
            yield f"sources[{n}].uri", source.uri, Sentence("manifest.address")
        if source.file is not None and source.file not in names:
            choice = Sentence("manifest.choice", choices=names)
            yield f"sources[{n}].file", source.file, choice


def _wrong_numbers(manifest: Manifest) -> Iterator[tuple[str, object, Sentence]]:
    sampling, price = manifest.sampling, manifest.price
    above_zero: list[tuple[str, float | None]] = [
        ("context_length", manifest.context_length),
        ("idle_unload_seconds", manifest.idle_unload_seconds),
        ("avg_latency_tokens_per_s", manifest.avg_latency_tokens_per_s),
        ("sampling.max_output_tokens", sampling.max_output_tokens),
        ("sampling.top_p", sampling.top_p),
    ]
    above_zero += [(f"files[{n}].size_bytes", f.size_bytes) for n, f in enumerate(manifest.files)]
    for field, value in above_zero:
        if value is not None and value <= 0:
            yield field, value, Sentence("manifest.above_zero")
    if sampling.top_p is not None and sampling.top_p > 1:
        yield "sampling.top_p", sampling.top_p, Sentence("manifest.share")
    not_negative = [("sampling.temperature", sampling.temperature)]
    if price is not None:
        not_negative += [("price.input", price.input), ("price.output", price.output)]
    for field, value in not_negative:
        if value is not None and value < 0:
            yield field, value, Sentence("manifest.not_negative")


def _stays_inside(path: str) -> bool:
    """Below the weights folder, or below the folder of an installed package."""
    package = _PACKAGE.fullmatch(path)
    if path.startswith("package:") and not package:
        return False
    inside = package[1] if package else path
    # A backslash or a drive would climb on Windows, and be a strange name here.
    shapes = (PurePosixPath(inside), PureWindowsPath(inside))
    return (
        inside not in ("", ".")
        and "\0" not in inside
        and not any(shape.anchor or ".." in shape.parts for shape in shapes)
        and shapes[0].parts[0] != "~"
    )


def _is_where_it_was_added(path: str, manifest: Manifest) -> bool:
    """An absolute path stands in the manifests `models add` makes, with the same `file:`."""
    place = Path(path)
    if not place.is_absolute() or ".." in place.parts or "\0" in path:
        return False
    return any(source.uri in (place.as_uri(), f"file:{path}") for source in manifest.sources)
