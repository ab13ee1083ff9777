"""Folders laid out as other programs lay out theirs.

Sources of the layouts: manifest/paths.go of github.com/ollama/ollama and a store that a
real `ollama create` made; huggingface.co/docs/hub/local-cache; lmstudio.ai/docs/basics/
import-model; common/download.cpp of llama.cpp.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.formats.writing import MODEL, Written, gguf
from tests.registry.hubs import COMMIT, manifest_of
from tests.registry.places import sha256


def talker(name: str = "Tiny Talker 1M", **changes: Written | None) -> bytes:
    """A GGUF file of its own; a change's `__` stands for a dot, None takes the key away."""
    metadata = dict(MODEL) | {"general.name": name}
    for key, value in changes.items():
        dotted = key.replace("__", ".")
        metadata.pop(dotted, None)
        if value is not None:
            metadata[dotted] = value
    return gguf(metadata)


def eyes() -> bytes:
    """A projector, as an mmproj file begins."""
    return gguf({"general.architecture": "clip", "general.type": "mmproj"})


def ollama(
    store: Path,
    parts: Sequence[tuple[str, bytes]],
    name: str = "registry.ollama.ai/library/tiny/1m",
) -> Path:
    """A model in an Ollama store; returns its manifest."""
    for _, content in parts:
        blob(store, content)
    path = store / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest_of(list(parts))))
    return path


def blob(store: Path, content: bytes) -> Path:
    path = store / "blobs" / f"sha256-{sha256(content)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hub(
    cache: Path,
    file: str,
    content: bytes,
    repository: str = "someone/some-model",
    commit: str = COMMIT,
    name: str | None = None,
) -> Path:
    """A file in a hub cache; returns the link a program opens."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    stored = folder / "blobs" / (name or sha256(content))
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(content)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    link = folder / "snapshots" / commit / file
    link.parent.mkdir(parents=True, exist_ok=True)
    up = "../" * (len(Path(file).parts) + 1)
    link.symlink_to(f"{up}blobs/{stored.name}")
    return link


def plain(folder: Path, file: str, content: bytes) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
