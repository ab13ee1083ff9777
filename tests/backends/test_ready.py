"""Ready is a token or a vector that came out; an open port and a green health are neither."""

import asyncio
from typing import Any

import pytest

from lumbre.backends import find, names
from lumbre.core.errors import EngineRefused, LumbreError, WorkerFailed
from lumbre.core.model import Capability, Manifest, Role
from tests.backends.recorder import END, Recorder, reply, stream

WINDOW = {"default_generation_settings": {"n_ctx": 512}}
BROKEN = reply({"error": {"code": 500, "message": "Internal Server Error"}}, "500 Broken")
NO_TOKEN = stream(
    '{"choices": [{"delta": {}, "finish_reason": "stop"}]}',
    '{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}',
    "[DONE]",
)
ENGINES = [(name, role) for name in names() for role in ("micro", "embedding")]


def engine_of(name: str, role: Role, url: str) -> Any:
    can: tuple[Capability, ...] = ("embed",) if role == "embedding" else ("chat",)
    manifest = Manifest(
        id="m", family="m", role=role, format="gguf", capabilities=can, revision="1", path="m"
    )
    return find(name).connect(manifest, url, "key")


def all_is_well_but(work: bytes) -> Recorder:
    """Whatever is asked of it is answered well, only its work is not."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        first = recorder.requests[-1][0]
        told = reply([]) if "lora" in first else reply(WINDOW)
        writer.write(work if first.startswith("POST") else told)
        await writer.drain()

    recorder = Recorder(answer)
    return recorder


@pytest.mark.parametrize(("name", "role"), ENGINES)
@pytest.mark.parametrize(
    "work", [BROKEN, NO_TOKEN + END, reply({"data": []}), reply(b"<html>")], ids=str
)
def test_an_engine_that_does_everything_but_its_work_is_not_ready(
    name: str, role: Role, work: bytes
) -> None:
    async def story() -> None:
        async with all_is_well_but(work).listening() as wire:
            engine = engine_of(name, role, wire._url)
            try:
                with pytest.raises((EngineRefused, WorkerFailed)):
                    await engine.ready()
                assert engine.window_tokens == 512
            finally:
                await engine.close()

    asyncio.run(story())


@pytest.mark.parametrize("name", ["llama_cpp", "llama_server"])
def test_the_cheap_proof_is_no_proof_of_a_token(name: str) -> None:
    """Which is why an answer that broke off is followed by a real one."""

    async def story() -> None:
        async with all_is_well_but(BROKEN).listening() as wire:
            engine = engine_of(name, "micro", wire._url)
            await engine.alive()
            assert engine.broken == 0
            with pytest.raises(LumbreError):
                await engine.ready()
            assert engine.broken == 1
            await engine.close()

    asyncio.run(story())
