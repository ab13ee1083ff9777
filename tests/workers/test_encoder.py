"""The sentence encoder gives each text its own vector of length one, and refuses what it must."""

import asyncio
import base64
import http.client
import json
from array import array
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from lumbre.core.backend import Chats, Embeds
from lumbre.core.errors import PromptTooLong
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker
from tests.workers.running import Running

TEXTS = ["The cat sleeps.", "El gato duerme.", "Кот спит.", "Tax law of 1987", ""]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def encoder(
    runner: asyncio.Runner, running: Running, use: Manifest, use_weights: Path
) -> Iterator[tuple[Worker, Any]]:
    """A worker with a window of 64 tokens."""
    started = running(use, use_weights, context_tokens=64)
    yield runner.run(_enter(started))
    runner.run(_leave(started))


async def _enter(started: AbstractAsyncContextManager[tuple[Worker, Any]]) -> tuple[Worker, Any]:
    return await started.__aenter__()


async def _leave(started: AbstractAsyncContextManager[tuple[Worker, Any]]) -> None:
    await started.__aexit__(None, None, None)


def test_each_text_has_its_vector_of_length_one_whatever_stands_beside_it(
    encoder: tuple[Worker, Any], runner: asyncio.Runner
) -> None:
    _, engine = encoder
    assert isinstance(engine, Embeds)
    assert not isinstance(engine, Chats)
    many = [f"{text} {n}" for n in range(40) for text in TEXTS]
    vectors = runner.run(engine.embed(many))
    assert len(vectors) == 200
    for vector in vectors:
        assert len(vector) == 512
        assert dot(vector, vector) == pytest.approx(1, abs=1e-5)
    for index in (0, 63, 64, 199):
        alone = runner.run(engine.embed([many[index]]))[0]
        assert dot(alone, vectors[index]) == pytest.approx(1, abs=1e-5)
    assert runner.run(engine.embed([])) == []


def test_one_meaning_in_three_languages_is_near(
    encoder: tuple[Worker, Any], runner: asyncio.Runner
) -> None:
    en, es, ru, other, _ = runner.run(encoder[1].embed(TEXTS))
    assert min(dot(en, es), dot(en, ru), dot(es, ru)) > 0.7
    assert max(dot(en, other), dot(es, other), dot(ru, other)) < 0.5


def test_a_text_over_the_window_is_refused_with_both_counts_and_not_cut(
    encoder: tuple[Worker, Any], runner: asyncio.Runner
) -> None:
    _, engine = encoder
    with pytest.raises(PromptTooLong) as caught:
        runner.run(engine.embed(["short", "word " * 63]))
    facts = {"model": "use", "prompt_tokens": 65, "window_tokens": engine.window_tokens}
    assert caught.value.facts == facts
    assert len(runner.run(engine.embed(["word " * 62]))) == 1


def test_numbers_and_base64_are_the_same_numbers(encoder: tuple[Worker, Any]) -> None:
    worker, _ = encoder
    rows = []
    for encoding in ("float", "base64"):
        status, answer = ask(worker, {"input": "hello", "encoding_format": encoding})
        assert status == 200
        rows.append(answer["data"][0]["embedding"])
    assert array("f", rows[0]) == array("f", base64.b64decode(rows[1]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"input": []}',
        b'{"input": 5}',
        b'{"input": [5]}',
        b'{"input": [["a"]]}',
        b'{"input": "a", "encoding_format": "hex"}',
        json.dumps({"input": ["a"] * 2049}).encode(),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_the_next_is_served(
    encoder: tuple[Worker, Any], body: bytes
) -> None:
    worker, _ = encoder
    status, answer = ask(worker, body)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert ask(worker, {"input": "hello"})[0] == 200


def test_a_text_nobody_foresaw_gets_an_answer_and_the_connection_lives(
    encoder: tuple[Worker, Any],
) -> None:
    worker, _ = encoder
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
    for text, expected in (("half of a pair: \ud83d", 500), ("hello", 200)):
        body = json.dumps({"input": text})
        connection.request("POST", "/v1/embeddings", body, key_of(worker))
        answer = connection.getresponse()
        assert answer.status == expected
        assert ("error" in json.loads(answer.read())) == (expected == 500)
    connection.close()


def test_one_connection_carries_many_requests(encoder: tuple[Worker, Any]) -> None:
    worker, _ = encoder
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
    for _ in range(150):
        connection.request("GET", "/v1/models", headers=key_of(worker))
        assert connection.getresponse().read()
        assert connection.sock is not None
    connection.close()


def test_a_body_without_an_honest_length_is_refused(encoder: tuple[Worker, Any]) -> None:
    worker, _ = encoder
    for length, status in (("-1", 413), (str(2**40), 413), ("many", 411)):
        connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
        connection.putrequest("POST", "/v1/embeddings")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_only_health_is_told_to_everybody(encoder: tuple[Worker, Any]) -> None:
    worker, _ = encoder
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
    for method, path in (("GET", "/v1/models"), ("GET", "/props"), ("POST", "/v1/embeddings")):
        for key in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer \xff"}):
            connection.request(method, path, headers=key)
            answer = connection.getresponse()
            assert (answer.status, b"no key" in answer.read()) == (401, True)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"status": "ok"}')
    connection.request("GET", "/etc/passwd", headers=key_of(worker))
    answer = connection.getresponse()
    assert (answer.status, b"not_found" in answer.read()) == (404, True)
    connection.close()


def test_a_body_where_none_belongs_is_not_taken_for_the_next_request(
    encoder: tuple[Worker, Any],
) -> None:
    worker, _ = encoder
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
    for _ in range(2):
        connection.request("GET", "/health", body=b"GET /v1/models HTTP/1.1\r\n\r\n")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status": "ok"}')
    connection.close()


def ask(worker: Worker, body: dict[str, object] | bytes) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"))
    connection.request("POST", "/v1/embeddings", raw, key_of(worker))
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said


def key_of(worker: Worker) -> dict[str, str]:
    return {"Authorization": f"Bearer {worker.key}"}


def dot(one: "array[float]", other: "array[float]") -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
