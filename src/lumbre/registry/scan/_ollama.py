"""Models of an Ollama store: manifests by name, and blobs named by their checksum.

    models/manifests/registry.ollama.ai/library/NAME/TAG    what a model is made of
    models/blobs/sha256-HEX                                 its parts

Source: manifest/paths.go and server/download.go of github.com/ollama/ollama; compared once
with the store that a real `ollama create` made.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from lumbre.registry.describe import first_line, slug
from lumbre.registry.scan import Beside, Found, Kind, trouble
from lumbre.registry.scan._files import Walk, unread
from lumbre.registry.sources._library import Layer, layers_of

_MOST_MANIFEST_BYTES = 1 << 20
_OFFICIAL = ("registry.ollama.ai", "library")
_LATEST = "latest"


def is_one(folder: Path) -> bool:
    return (folder / "manifests").is_dir() and (folder / "blobs").is_dir()


def found(folder: Path, kind: Kind) -> Iterator[Found]:
    walk = Walk()
    manifests, blobs = folder / "manifests", folder / "blobs"
    used: set[str] = set()
    for here, names in walk.files(manifests):
        for name in names:
            path = here / name
            parts = path.relative_to(manifests).parts
            if name.startswith(".") or len(parts) != 4:
                continue
            layers = _layers(path)
            used.update(layer.sha256 for layer in layers or ())
            yield _model(kind, parts, path, layers, blobs)
    for here, names in walk.files(blobs):
        yield from _left_over(kind, here, names, used)
    yield from unread(walk, folder, kind)


def _model(
    kind: Kind,
    parts: tuple[str, ...],
    manifest: Path,
    layers: tuple[Layer, ...] | None,
    blobs: Path,
) -> Found:
    host, space, name, tag = parts
    spoken = "/".join(part for part in (host, space) if part not in _OFFICIAL)
    shown = f"{spoken}/{name}:{tag}".lstrip("/")
    suggested_id = slug(name if tag == _LATEST else f"{name}-{tag}")
    if layers is None:
        return Found(kind, shown, manifest, trouble=trouble("bad_store_manifest"))
    models = [layer for layer in layers if layer.kind == "model"]
    if len(models) != 1:
        return Found(kind, shown, manifest, trouble=trouble("no_gguf"))
    wanted = [layer for layer in layers if layer.kind in ("model", "projector", "adapter")]
    if len({layer.kind for layer in wanted}) < len(wanted):
        return Found(kind, shown, manifest, trouble=trouble("several_parts"))
    for layer in wanted:
        blob = _blob(blobs, layer)
        if not blob.exists():
            return Found(kind, shown, blob, trouble=trouble("blob_missing", blob=blob.name))
        if blob.stat().st_size != layer.size_bytes:
            return Found(kind, shown, blob, trouble=trouble("blob_cut", blob=blob.name))
    others = [
        Beside("projector" if layer.kind == "projector" else "adapter", _blob(blobs, layer), sha256)
        for layer in wanted
        if layer.kind != "model" and (sha256 := layer.sha256)
    ]
    return Found(
        kind,
        shown,
        _blob(blobs, models[0]),
        sha256=models[0].sha256,
        others=tuple(others),
        license=_license(layers, blobs),
        suggested_id=suggested_id,
    )


def _left_over(kind: Kind, here: Path, names: list[str], used: set[str]) -> Iterator[Found]:
    coming: set[str] = set()
    for name in names:
        digest, _, rest = name.removeprefix("sha256").lstrip("-:").partition("-")
        path = here / name
        if rest.startswith("partial"):
            if digest not in coming:
                coming.add(digest)
                yield Found(kind, f"sha256-{digest[:12]}…", path, trouble=trouble("coming"))
        elif digest not in used and _is_gguf(path):
            yield Found(kind, f"sha256-{digest[:12]}…", path, trouble=trouble("left_over"))


def _layers(path: Path) -> tuple[Layer, ...] | None:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_MANIFEST_BYTES + 1)
        return layers_of(json.loads(text)) if len(text) <= _MOST_MANIFEST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None


def _blob(blobs: Path, layer: Layer) -> Path:
    """Older releases wrote a colon for the dash."""
    older = blobs / f"sha256:{layer.sha256}"
    return older if older.exists() else blobs / f"sha256-{layer.sha256}"


def _license(layers: tuple[Layer, ...], blobs: Path) -> str:
    for layer in layers:
        if layer.kind == "license":
            try:
                with _blob(blobs, layer).open("rb") as file:
                    text = file.read(4096).decode(errors="replace")
            except OSError:
                continue
            return first_line(text)
    return ""


def _is_gguf(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False
