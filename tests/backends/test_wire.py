"""Whatever an engine does to a connection, the caller gets one answer or one error of ours."""

import asyncio
import json
from array import array
from base64 import b64encode
from collections.abc import Iterable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.backends.wire import Events, Wire
from lumbre.core.errors import EngineRefused, LumbreError, PromptTooLong, WorkerFailed
from tests.backends.recorder import END, Answers, Recorder, always, chunk, reply, stream


def failure_of(answers: Answers, silence_s: float = 30.0, *, streams: bool = False) -> LumbreError:
    async def story() -> LumbreError:
        async with Recorder(answers).listening(silence_s) as wire:
            with pytest.raises(LumbreError) as caught:
                if streams:
                    async with aclosing(wire.stream("/s", {})) as events:
                        async for _ in events:
                            pass
                else:
                    await wire.post("/p", {})
        return caught.value

    return asyncio.run(story())


def test_the_key_goes_in_a_header_and_nowhere_else() -> None:
    async def story() -> None:
        recorder = Recorder(always(reply({"ok": True})))
        async with recorder.listening() as wire:
            assert await wire.post("/p", {"a": 1}) == {"ok": True}
            assert await wire.get("/g") == {"ok": True}
        for line, headers, body in recorder.requests:
            assert headers["authorization"] == "bearer the-key"
            assert "the-key" not in line
            assert b"the-key" not in body

    asyncio.run(story())


def test_a_kept_connection_is_used_again() -> None:
    async def story() -> None:
        recorder = Recorder(always(reply({})))
        async with recorder.listening() as wire:
            for _ in range(5):
                await wire.post("/p", {})
        assert recorder.connections == 1

    asyncio.run(story())


def test_a_request_on_a_kept_connection_that_was_closed_is_sent_once_more_on_a_new_one() -> None:
    """The server had said nothing of it, as when its idle time runs out just then."""

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(reply({"number": number}))
        else:
            writer.close()

    async def story() -> None:
        recorder = Recorder(answer)
        async with recorder.listening() as wire:
            assert await wire.post("/p", {"n": 1}) == {"number": 1}
            assert await wire.post("/p", {"n": 2}) == {"number": 1}
        sent = [json.loads(body)["n"] for _, _, body in recorder.requests]
        assert sent == [1, 2, 2]
        assert recorder.connections == 2

    asyncio.run(story())


def test_every_stale_connection_is_passed_over_not_just_the_first() -> None:
    together = asyncio.Barrier(3)

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            await together.wait()
            writer.write(reply({}))
        else:
            writer.close()

    async def story() -> None:
        recorder = Recorder(answer)
        async with recorder.listening() as wire:
            await asyncio.gather(*(wire.post("/p", {}) for _ in range(3)))
            await asyncio.gather(*(wire.post("/p", {}) for _ in range(3)))

    asyncio.run(story())


def test_a_request_that_breaks_a_new_connection_is_not_sent_again() -> None:
    """It may be the one that killed the engine."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def story() -> None:
        recorder = Recorder(answer)
        async with recorder.listening() as wire:
            with pytest.raises(WorkerFailed):
                await wire.post("/p", {})
        assert len(recorder.requests) == 1

    asyncio.run(story())


def test_a_stream_that_breaks_after_its_first_byte_is_not_sent_again() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(reply({}))
        else:
            writer.write(stream('{"n": 1}'))
            await writer.drain()
            writer.close()

    async def story() -> None:
        recorder = Recorder(answer)
        seen = []
        async with recorder.listening() as wire:
            await wire.post("/p", {})
            with pytest.raises(WorkerFailed):
                async with aclosing(wire.stream("/s", {})) as events:
                    async for event in events:
                        seen.append(event)
        assert seen == [{"n": 1}]
        assert len(recorder.requests) == 2

    asyncio.run(story())


def test_a_stream_that_ends_without_its_end_mark_is_a_failure() -> None:
    error = failure_of(always(stream('{"n": 1}') + END), streams=True)
    assert isinstance(error, WorkerFailed)
    assert error.facts["reason"] == "the stream broke off"


def test_nobody_listening_is_a_failure() -> None:
    async def story() -> None:
        async with Recorder(always(reply({}))).listening() as wire:
            url = wire._url
        nobody = Wire("m", url, "k")
        with pytest.raises(WorkerFailed) as caught:
            await nobody.get("/g")
        assert caught.value.facts["model"] == "m"
        await nobody.close()

    asyncio.run(story())


def test_an_engine_that_falls_silent_is_a_failure() -> None:
    async def hang(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def begin(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(stream('{"n": 1}'))
        await asyncio.Event().wait()

    for answers, streams in ((hang, False), (hang, True), (begin, True)):
        error = failure_of(answers, silence_s=0.05, streams=streams)
        assert isinstance(error, WorkerFailed)
        assert "silent" in str(error.facts["reason"])


def test_a_request_under_way_ends_with_the_connection_and_opens_no_other() -> None:
    async def story() -> None:
        asked = asyncio.Event()

        async def answer(number: int, writer: asyncio.StreamWriter) -> None:
            if number == 1:
                writer.write(reply({}))
            else:
                asked.set()

        recorder = Recorder(answer)
        async with recorder.listening() as wire:
            await wire.post("/p", {})
            asking = asyncio.create_task(wire.post("/p", {}))
            await asked.wait()
            await wire.close()
            with pytest.raises(WorkerFailed):
                await asking
            assert recorder.connections == 1
            assert wire._session is None

    asyncio.run(story())


def test_a_connection_that_was_given_back_is_not_opened_again() -> None:
    async def story() -> None:
        recorder = Recorder(always(reply({})))
        async with recorder.listening() as wire:
            await wire.post("/p", {})
            await wire.close()
            with pytest.raises(WorkerFailed):
                await wire.post("/p", {})
        assert recorder.connections == 1

    asyncio.run(story())


def test_leaving_a_stream_closes_its_connection_at_once() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(stream('{"n": 1}', '{"n": 2}'))
        await writer.drain()

    async def story() -> None:
        recorder = Recorder(answer)
        async with recorder.listening() as wire:
            async with aclosing(wire.stream("/s", {})) as events:
                assert await anext(events) == {"n": 1}
            async with asyncio.timeout(10):
                await recorder.left.wait()

    asyncio.run(story())


def test_cancelling_before_the_answer_closes_the_connection_at_once() -> None:
    async def story() -> None:
        asked = asyncio.Event()

        async def hang(_: int, writer: asyncio.StreamWriter) -> None:
            asked.set()

        recorder = Recorder(hang)
        async with recorder.listening() as wire:
            asking = asyncio.create_task(anext(wire.stream("/s", {})))
            await asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(10):
                await recorder.left.wait()

    asyncio.run(story())


TOO_LONG = {
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 831,
    "n_ctx": 512,
    "message": "m",
}
TOO_LARGE = {
    "message": "input (999 tokens) is too large to process. increase the physical batch size "
    "(current batch size: 512)"
}


def refused(reason: str) -> EngineRefused:
    return EngineRefused(model="m", reason=reason)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": TOO_LONG}, PromptTooLong(model="m", prompt_tokens=831, window_tokens=512)),
        (
            500,
            {"error": TOO_LARGE},
            PromptTooLong(model="m", prompt_tokens=999, window_tokens=512),
        ),
        (400, {"error": {"message": "no such thing"}}, refused("no such thing")),
        (400, {"error": "plain"}, refused("plain")),
        (503, {}, refused("HTTP 503")),
        (502, b"<html>bad</html>", refused("<html>bad</html>")),
        (500, b"", refused("HTTP 500")),
        (500, [], refused("HTTP 500")),
        (200, b"not json", refused("not JSON: Expecting value: line 1 column 1 (char 0)")),
        (200, [1], refused("not a JSON object")),
    ],
)
def test_an_error_of_the_engine_becomes_one_of_ours(
    status: int, body: object, expected: LumbreError
) -> None:
    answers = always(reply(body, f"{status} Said"))
    error = failure_of(answers)
    assert (type(error), error.facts) == (type(expected), expected.facts)
    if status != 200:
        streamed = failure_of(answers, streams=True)
        assert (type(streamed), streamed.facts) == (type(expected), expected.facts)


@pytest.mark.parametrize("event", ["{", '{"error": {"message": "no"}}', '{"error": "no"}'])
def test_an_error_in_the_middle_of_a_stream_is_an_error(event: str) -> None:
    error = failure_of(always(stream('{"n": 1}', event) + END), streams=True)
    assert type(error) is EngineRefused


@pytest.mark.parametrize(
    ("raw", "is_broken"),
    [
        (reply({"error": {"code": 500, "message": "m"}}, "500 Bad"), True),
        (reply(b"", "502 Bad"), True),
        (reply({"error": {"code": 400, "message": "m"}}, "400 Bad"), False),
        (reply({"error": {"code": 501, "message": "m"}}, "501 Bad"), False),
        (reply({"error": TOO_LONG}, "400 Bad"), False),
        (reply({"error": TOO_LARGE}, "500 Bad"), False),
        (stream('{"n": 1}', '{"error": {"code": 500, "message": "m"}}') + END, True),
        (stream('{"n": 1}', '{"error": {"code": 400, "message": "m"}}') + END, False),
        (stream('{"n": 1}', '{"error": "m"}') + END, True),
        (stream('{"n": 1}') + END, True),
    ],
)
def test_what_the_engine_owed_is_told_from_what_was_asked_wrongly(
    raw: bytes, *, is_broken: bool
) -> None:
    async def story() -> None:
        async with Recorder(always(raw)).listening() as wire:
            with pytest.raises(LumbreError):
                async with aclosing(wire.stream("/s", {})) as events:
                    async for _ in events:
                        pass
            assert wire.broken == is_broken
            assert wire.waiting == 0

    asyncio.run(story())


def test_progress_is_each_event_and_each_batch_of_vectors_and_no_other_answer() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(stream('{"n": 1}', '{"n": 2}', "[DONE]") + END)

    async def story() -> None:
        async with Recorder(answer).listening() as wire:
            assert [event async for event in wire.stream("/s", {})] == [{"n": 1}, {"n": 2}]
            assert wire.progress == 2
        async with Recorder(always(vectors([(0, [1.0])]))).listening() as wire:
            await wire.embed(["a", "b", "c"], at_a_time=1)
            assert wire.progress == 3
        async with Recorder(always(reply({}))).listening() as wire:
            await wire.get("/g")
            await wire.prove("/g")
            assert (wire.progress, wire.waiting, wire.broken) == (0, 0, 0)

    asyncio.run(story())


def test_an_engine_is_waited_for_while_it_owes_bytes_and_not_while_the_caller_reads_none() -> None:
    async def story() -> None:
        asked, more = asyncio.Event(), asyncio.Event()

        async def answer(_: int, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await more.wait()
            more.clear()
            writer.write(stream('{"n": 1}'))
            await more.wait()
            writer.write(b"".join(map(chunk, ['{"n": 2}', "[DONE]"])) + END)

        async with Recorder(answer).listening() as wire, aclosing(wire.stream("/s", {})) as events:
            first = asyncio.ensure_future(anext(events))
            await asked.wait()
            assert wire.waiting == 1
            more.set()
            await first
            assert wire.waiting == 0
            second = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            assert wire.waiting == 1
            more.set()
            assert await second == {"n": 2}
            second = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises((asyncio.CancelledError, StopAsyncIteration)):
                await second
            assert wire.waiting == 0

    asyncio.run(story())


def test_a_proof_may_have_any_shape_but_must_come() -> None:
    async def story() -> None:
        for raw in (reply([]), reply({}), reply(7)):
            async with Recorder(always(raw)).listening() as wire:
                await wire.prove("/g")
        async with Recorder(always(reply({}, "404 No"))).listening() as wire:
            with pytest.raises(EngineRefused):
                await wire.prove("/g")

    asyncio.run(story())


def test_a_proof_leaves_no_connection_on_which_the_engine_would_look_for_more() -> None:
    async def story() -> None:
        recorder = Recorder(always(reply({})))
        async with recorder.listening() as wire:
            await wire.get("/g")
            await wire.prove("/g")
            await wire.prove("/g")
            kept = [request[1].get("connection", "kept") for request in recorder.requests]
            assert kept == ["kept", "close", "close"]

    asyncio.run(story())


def vectors(rows: Iterable[tuple[int, list[float]]], *, encoded: bool = True) -> bytes:
    def written(row: list[float]) -> object:
        return b64encode(array("f", row).tobytes()).decode() if encoded else row

    return reply({"data": [{"index": i, "embedding": written(row)} for i, row in rows]})


@pytest.mark.parametrize("encoded", [True, False])
def test_vectors_come_in_the_order_of_their_texts(*, encoded: bool) -> None:
    async def story() -> None:
        raw = vectors([(1, [0.0, 1.0]), (0, [1.0, 0.0])], encoded=encoded)
        recorder = Recorder(always(raw))
        async with recorder.listening() as wire:
            rows = await wire.embed(["a", "b", "c", "d"], at_a_time=2)
        assert [list(row) for row in rows] == [[1, 0], [0, 1], [1, 0], [0, 1]]
        assert [json.loads(body)["input"] for _, _, body in recorder.requests] == [
            ["a", "b"],
            ["c", "d"],
        ]

    asyncio.run(story())


@pytest.mark.parametrize(
    "raw",
    [
        vectors([(0, [1.0])]),
        reply({}),
        reply({"data": [{"index": 0, "embedding": "!"}, {"index": 1, "embedding": "!"}]}),
        reply({"data": [{"index": 0, "embedding": "AAA="}, {"index": 1, "embedding": "AAA="}]}),
        reply({"data": [{"index": 0}, {"index": 1}]}),
    ],
)
def test_vectors_that_are_none_are_refused(raw: bytes) -> None:
    async def story() -> None:
        async with Recorder(always(raw)).listening() as wire:
            with pytest.raises(EngineRefused):
                await wire.embed(["a", "b"], at_a_time=2)

    asyncio.run(story())


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3)),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_events_are_the_same_however_their_bytes_are_cut(
    sent: list[dict[str, object]], line_end: str, data: st.DataObject
) -> None:
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}" for event in sent]
    text = "".join(f"{line}{line_end}{line_end}" for line in [": ping", *lines, "data: [DONE]"])
    raw = text.encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=20)))
    events = Events()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        assert not (events.is_done and start < len(raw) - 4)
        got += events.feed(raw[start:end])
    assert got == sent
    assert events.is_done


def test_the_end_is_only_what_says_it_is() -> None:
    events = Events()
    assert events.feed(b'data: {"text": "[DONE]"}\n\ndata: [DONE') == [{"text": "[DONE]"}]
    assert not events.is_done
    assert events.feed(b"]\n") == []
    assert events.is_done
