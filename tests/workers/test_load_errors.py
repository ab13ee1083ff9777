"""A worker that cannot load says why in its engine's own words, never "Failed to init server"."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.core.errors import WorkerFailed
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from tests.workers.running import Running

_PRE = b"tokenizer.ggml.pre" + struct.pack("<IQ", 8, len(b"smollm"))
"""GGUF: the key, the type "string", its length; the value follows."""


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def strange_tokenizer(whole: bytes) -> bytes:
    assert _PRE + b"smollm" in whole
    return whole.replace(_PRE + b"smollm", _PRE + b"martin", 1)


def lost_tensor(whole: bytes) -> bytes:
    assert b"blk.7.ffn_up.weight" in whole
    return whole.replace(b"blk.7.ffn_up.weight", b"blk.7.ffn_xx.weight", 1)


def nothing(_whole: bytes) -> bytes:
    return b""


def no_gguf(_whole: bytes) -> bytes:
    return b"PK\x03\x04" + bytes(1000)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "data is not within the file bounds"),
        (strange_tokenizer, "unknown pre-tokenizer type: 'martin'"),
        (lost_tensor, "'blk.7.ffn_up.weight' not found"),
        (nothing, "failed to read magic"),
        (no_gguf, "invalid magic characters"),
    ],
)
def test_the_cause_is_named(
    running: Running,
    chatter: Manifest,
    smollm2: Path,
    tmp_path: Path,
    harm: Callable[[bytes], bytes],
    words: str,
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(harm(smollm2.read_bytes()))
    assert words in reason(running, chatter, broken)


def test_a_file_that_is_not_there_is_named(
    running: Running, chatter: Manifest, tmp_path: Path
) -> None:
    why = reason(running, chatter, tmp_path / "gone.gguf")
    assert "failed to open" in why
    assert "gone.gguf" in why


def test_an_assertion_of_the_engine_is_named(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """It aborts the process; others live on."""

    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (_, other):
            with pytest.raises(WorkerFailed) as caught:
                async with running(chatter, smollm2, engine_options={"no_alloc": True}):
                    pass
            assert "GGML_ASSERT(!ml.no_alloc) failed" in str(caught.value.facts["reason"])
            assert await other.count([Message("user", "hello")]) > 0

    asyncio.run(story())


def test_a_parameter_this_build_does_not_have_is_an_error_and_not_set_in_vain(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    why = reason(running, chatter, smollm2, engine_options={"use_mmap": True})
    assert "use_mmap" in why


def test_weights_of_another_kind_are_a_failure_with_a_cause(
    running: Running, use: Manifest, smollm2: Path
) -> None:
    assert "sp.model" in reason(running, use, smollm2)


def reason(running: Running, manifest: Manifest, weights: Path, **settings: Any) -> str:
    async def story() -> str:
        with pytest.raises(WorkerFailed) as caught:
            async with running(manifest, weights, **settings):
                pass
        assert caught.value.facts["model"] == manifest.id
        assert Path(str(caught.value.facts["log"])).read_text()
        assert psutil.Process().children() == []
        return str(caught.value.facts["reason"])

    why = asyncio.run(story())
    assert "Failed to init server" not in why
    assert "\n" not in why
    return why


def test_the_cause_is_named_every_time(running: Running, chatter: Manifest, tmp_path: Path) -> None:
    """The engine logs in the background; a process that ends at once took its words with it."""

    async def story() -> list[str]:
        return await asyncio.gather(*(once(n) for n in range(12)))

    async def once(number: int) -> str:
        with pytest.raises(WorkerFailed) as caught:
            async with running(chatter, tmp_path / f"gone-{number}.gguf"):
                pass
        return str(caught.value.facts["reason"])

    for number, why in enumerate(asyncio.run(story())):
        assert f"gone-{number}.gguf" in why
