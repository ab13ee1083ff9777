"""A household for a measurement: the same weights under several ids and contexts, in a folder.

Its checksums are written down beforehand, so that no measurement reads a file twice.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lumbre.config.load import load
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, Role
from lumbre.registry.add import manifest_from_file
from lumbre.registry.household import shipped
from lumbre.registry.manifest import save_manifest
from lumbre.runtime import Runtime
from lumbre.store import Store


@dataclass(frozen=True, slots=True)
class Model:
    """One of the household."""

    id: str
    weights: Path
    context_tokens: int = 2048
    role: Role = "secondary"


@asynccontextmanager
async def household(
    home: Path,
    models: Sequence[Model],
    settings: Mapping[str, str] | None = None,
    *,
    with_embedder: bool = False,
) -> AsyncIterator[Runtime]:
    """Open with nothing loaded; `settings` as the environment names them, less LUMBRE_."""
    said = {f"LUMBRE_{name}": value for name, value in (settings or {}).items()}
    config = load({"LUMBRE_HOME": str(home), **said})
    config.folders.make()
    manifests = [manifest_of(model) for model in models]
    if with_embedder:
        manifests += [one for one in shipped("starter") if one.role == "embedding"]
    for manifest in manifests:
        save_manifest(manifest, config.folders.registry / f"{manifest.id}.yaml")
    store = Store(config.folders.database)
    try:
        runtime = Runtime(config, store)
        for manifest in manifests:
            for file in manifest.weights:
                runtime.weights.remember(runtime.weights.path(manifest, file), file.sha256)
        try:
            yield runtime
        finally:
            await runtime.close()
    finally:
        store.close()


def manifest_of(model: Model) -> Manifest:
    read = _read(model.weights)
    trained_tokens = read.context_length or model.context_tokens
    context_tokens = min(model.context_tokens, trained_tokens)
    return replace(read, id=model.id, role=model.role, context_length=context_tokens)


@cache
def _read(weights: Path) -> Manifest:
    return manifest_from_file(weights, "secondary")


def question(text: str, tokens: int) -> ChatRequest:
    return ChatRequest((Message("user", text),), max_output_tokens=tokens, temperature=0.0)


async def answer(runtime: Runtime, model: str, request: ChatRequest) -> str:
    """The whole text; raises where it has no proper end."""
    text, finish = "", None
    async with aclosing(runtime.chat(request, model)) as deltas:
        async for delta in deltas:
            text += delta.text
            finish = delta.finish or finish
    if finish is None:
        raise RuntimeError(f"{model}: an answer without an end")
    return text
