"""What the llama.cpp engine sends: always a stream, always every adapter, nothing by chance."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from lumbre.backends import find, names
from lumbre.backends.llama_cpp import ChatEngine, backend
from lumbre.core.backend import Chats, Embeds, WorkerSettings
from lumbre.core.errors import CannotDo, EngineRefused, WorkerFailed
from lumbre.core.generation import ChatRequest, Delta, Usage
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, Part, Role, WeightsFile
from tests.backends.recorder import END, Recorder, always, reply, stream

TALK = (Message("system", "Be brief."), Message("user", "¿Qué tal?"), Message("assistant", "Bi"))
ANSWER = [
    {
        "choices": [{"delta": {"role": "assistant", "content": None}}],
        "prompt_progress": {"processed": 3, "total": 7},
    },
    {"choices": [{"delta": {"content": "en"}}]},
    {"choices": [{"delta": {}, "finish_reason": "length"}]},
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
    },
]


def manifest(*parts: Part) -> Manifest:
    files = tuple(WeightsFile(path=f"{part}.gguf", sha256="0" * 64, part=part) for part in parts)
    return Manifest(
        id="m",
        family="f",
        role="primary",
        format="gguf",
        capabilities=(),
        revision="1",
        files=files,
    )


def asked(request: ChatRequest, model: Manifest, *events: object) -> tuple[Any, list[Delta]]:
    """The body that was sent, and what came of the answer."""
    raw = stream(*map(json.dumps, events or ANSWER), "[DONE]") + END

    async def story() -> tuple[Any, list[Delta]]:
        recorder = Recorder(always(raw))
        async with recorder.listening() as wire:
            engine = backend.connect(model, wire._url, "k")
            assert isinstance(engine, Chats)
            try:
                async with aclosing(engine.chat(request)) as deltas:
                    got = [delta async for delta in deltas]
            finally:
                await engine.close()
        return json.loads(recorder.requests[0][2]), got

    return asyncio.run(story())


def test_a_request_is_always_a_stream_and_says_everything() -> None:
    body, _ = asked(ChatRequest(TALK, 5, 0.5, 0.8, seed=3, stop=("\n",)), manifest("weights"))
    assert body == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "¿Qué tal?"},
            {"role": "assistant", "content": "Bi"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.8,
        "seed": 3,
        "stop": ["\n"],
        "cache_prompt": True,
    }


def test_every_adapter_is_named_in_every_request() -> None:
    """One left out would answer from another's cache: llama.cpp #26207."""
    body, _ = asked(ChatRequest(TALK, 5), manifest("weights", "adapter"))
    assert body["lora"] == [{"id": 0, "scale": 1.0}]
    assert body["stream"] is True


def test_the_answer_comes_in_our_words() -> None:
    _, deltas = asked(ChatRequest(TALK, 5), manifest("weights"))
    assert [delta.text for delta in deltas] == ["", "en", ""]
    assert deltas[0].progress is not None
    assert (deltas[0].progress.read_tokens, deltas[0].progress.total_tokens) == (3, 7)
    assert deltas[-1] == Delta(finish="length", usage=Usage(7, 2, 1))


def test_an_answer_without_an_end_is_a_failure() -> None:
    with pytest.raises(WorkerFailed):
        asked(ChatRequest(TALK, 5), manifest("weights"), *ANSWER[:2])


def test_ready_means_a_token_came_not_that_somebody_listens() -> None:
    nothing = [ANSWER[2], {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}}]

    async def answers(number: int, writer: asyncio.StreamWriter) -> None:
        props = reply({"default_generation_settings": {"n_ctx": 64}})
        talk = stream(*map(json.dumps, nothing), "[DONE]") + END
        writer.write(props if number == 1 else talk)

    async def story() -> None:
        async with Recorder(answers).listening() as wire:
            with pytest.raises(EngineRefused) as caught:
                await ChatEngine(wire).ready()
            assert caught.value.facts["reason"] == "no token came"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "context_length", "context", "batch"),
    [
        (WorkerSettings(context_tokens=2048), 8192, 2048, 64),
        (WorkerSettings(context_tokens=0), 8192, 8192, 64),
        (WorkerSettings(context_tokens=0), None, 512, 64),
        (WorkerSettings(context_tokens=2048, batch_tokens=128), None, 2048, 128),
    ],
)
def test_a_launch_names_every_setting_and_only_an_embedder_reads_in_one_batch(
    settings: WorkerSettings, context_length: int | None, context: int, batch: int
) -> None:
    roles: tuple[tuple[Role, int], ...] = (("primary", batch), ("embedding", context))
    for role, expected in roles:
        model = Manifest(
            id="m", family="f", role=role, format="gguf", capabilities=(), revision="1",
            context_length=context_length,
        )  # fmt: skip
        launch = backend.launch(model, {"weights": Path("/w.gguf")}, settings, "k")
        assert launch.module == "lumbre.workers.llama"
        assert launch.settings["context_tokens"] == context
        assert launch.settings["batch_tokens"] == expected
        assert launch.settings["embedding"] is (role == "embedding")
        engine = backend.connect(model, "http://127.0.0.1:1", "k")
        assert isinstance(engine, Embeds) is (role == "embedding")
        assert isinstance(engine, Chats) is (role == "primary")
        assert "k" not in launch.environment.values()


def test_backends_are_found_by_the_name_of_their_file() -> None:
    assert {"llama_cpp", "encoder"} <= set(names())
    for name in names():
        assert find(name).name == name
    for name in ("wire", "", "..wire", "os", "no_such_engine"):
        with pytest.raises(CannotDo) as caught:
            find(name, model="m")
        assert caught.value.facts["model"] == "m"
