"""Talks to an engine over HTTP on this machine, in the dialect of llama.cpp's server.

Every worker speaks it: JSON requests under a bearer key, answers as JSON or as server-sent
events, errors as `{"error": {...}}`. What aiohttp raises is translated here and nowhere else.
"""

import base64
import codecs
import json
import re
from array import array
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp

from lumbre.core.errors import EngineRefused, LumbreError, PromptTooLong, WorkerFailed

_KEPT_S = 4.0
"""Shorter than the server's own 5 s. Source: its header `Keep-Alive: timeout=5, max=100`."""
_CONNECT_S = 5.0
_SILENCE_S = 180.0
"""An engine that is reading a prompt says how far it is after every batch, and is held for
stuck when it says nothing for so long; one batch of the largest models takes half of it."""
_TOO_LARGE = re.compile(r"input \((\d+) tokens\) is too large.*batch size: (\d+)")
"""Source: llama.cpp tools/server/server-context.cpp, an input over the physical batch."""


class Events:
    """Server-sent events out of bytes cut anywhere: each one's data, parsed."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.is_done = False
        """The end was said, not just reached."""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The events that end within these bytes.

        Raises:
            ValueError: data that is not JSON.
        """
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        found: list[dict[str, Any]] = []
        for line in lines:
            name, _, value = line.rstrip("\r").partition(":")
            if name == "data" and value.strip() == "[DONE]":
                self.is_done = True
            elif name == "data":
                found.append(json.loads(value))
            elif name == "error":
                found.append({"error": json.loads(value)})
        return found


class Wire:
    """A connection to one engine: made at its first use, given back by `close`."""

    def __init__(self, model: str, url: str, key: str, silence_s: float = _SILENCE_S) -> None:
        self.model = model
        self._silence_s = silence_s
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None
        self._is_given_back = False
        self.progress = 0
        """Events and vectors that came from the engine: it grows while the engine gets on."""
        self.waiting = 0
        """Callers that wait for the engine now. One that keeps an open stream and reads nothing
        waits for nothing: it is the caller who stands still then."""
        self.broken = 0
        """Answers that broke off, never came, or were an error of the engine's own making."""

    async def close(self) -> None:
        """Close every connection; a stream still running on one ends. None is opened again."""
        self._is_given_back = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def get(self, path: str) -> dict[str, Any]:
        """Ask for JSON.

        Raises:
            EngineRefused: answered with an error, or with something else than JSON.
            WorkerFailed: no answer came.
        """
        return await self._json("GET", path, None)

    async def prove(self, path: str) -> None:
        """Ask for JSON of any shape: that it came is what counts.

        The connection is not kept: llama.cpp's server looks a hundred times a second whether
        something comes on one that is. Source: cpp-httplib, keep_alive.

        Raises: as `get`.
        """
        await self._value("GET", path, None, {"Connection": "close"})

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send JSON, get JSON. A caller that leaves is not noticed by the engine: short work only.

        Raises: as `get`, and
            PromptTooLong: the engine counted more tokens than it has room for.
        """
        return await self._json("POST", path, body)

    async def stream(
        self, path: str, body: Mapping[str, object]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Send JSON, get events. Closing the generator closes the connection at once.

        Raises: as `post`, also in mid-stream.
        """
        events = Events()
        with self._waited_for():
            response = await self._open("POST", path, body)
        try:
            with self._waited_for():
                await self._check(response)
            while True:
                with self._waited_for():
                    data = await response.content.readany()
                if not data:
                    break
                for event in events.feed(data):
                    if "error" in event:
                        raise self._refusal(response.status, event)
                    self.progress += 1
                    yield event
            if not events.is_done:
                raise self._failed("the stream broke off")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failed(error) from error
        except ValueError as error:
            raise EngineRefused(model=self.model, reason=f"not an event: {error}") from error
        finally:
            response.close()

    async def embed(self, texts: Sequence[str], at_a_time: int) -> list["array[float]"]:
        """One float32 vector per text, in order, by `/v1/embeddings`.

        A caller that leaves is noticed between two requests of `at_a_time` texts.

        Raises: as `post`.
        """
        vectors: list[array[float]] = []
        for start in range(0, len(texts), at_a_time):
            some = list(texts[start : start + at_a_time])
            answer = await self.post("/v1/embeddings", {"input": some, "encoding_format": "base64"})
            try:
                rows = sorted(answer["data"], key=lambda row: row["index"])
                vectors.extend(_vector(row["embedding"]) for row in rows)
                self.progress += 1
            except (KeyError, TypeError, ValueError) as error:
                raise EngineRefused(model=self.model, reason=f"not vectors: {error}") from error
        if len(vectors) != len(texts):
            reason = f"{len(vectors)} vectors for {len(texts)} texts"
            raise EngineRefused(model=self.model, reason=reason)
        return vectors

    async def _json(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> dict[str, Any]:
        answer = await self._value(method, path, body)
        if not isinstance(answer, dict):
            raise EngineRefused(model=self.model, reason="not a JSON object")
        return answer

    async def _value(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        with self._waited_for():
            response = await self._open(method, path, body, headers)
        try:
            with self._waited_for():
                await self._check(response)
                return json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            response.close()
            raise self._failed(error) from error
        except ValueError as error:
            raise EngineRefused(model=self.model, reason=f"not JSON: {error}") from error
        finally:
            response.release()

    async def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        """Send a request; once more where a kept connection had been closed meanwhile.

        The server closes a connection after 100 requests or 5 idle seconds, which may
        cross with our request. Then no byte of an answer comes, and nothing was begun. A
        connection of our own making that breaks is the engine's end, and is not retried.
        """
        if self._is_given_back:
            raise self._failed("the connection was given back")
        session = self._sessions()
        while True:
            trace = SimpleNamespace(is_reused=False)
            try:
                return await session.request(
                    method, self._url + path, json=body, headers=headers, trace_request_ctx=trace
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not trace.is_reused or session.closed:
                    raise self._failed(error) from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise self._failed(error) from error

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            reuse = aiohttp.TraceConfig()
            reuse.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_S, sock_read=self._silence_s
                ),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[reuse],
                trust_env=False,
            )
        return self._session

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            return
        raw = await response.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = {"error": {"message": raw[:200].decode(errors="replace")}}
        raise self._refusal(response.status, body)

    def _refusal(self, status: int, body: object) -> LumbreError:
        error = body.get("error") if isinstance(body, dict) else None
        facts: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        message = str(facts.get("message") or f"HTTP {status}")
        counts = (facts.get("n_prompt_tokens"), facts.get("n_ctx"))
        if found := _TOO_LARGE.search(message):
            counts = (int(found[1]), int(found[2]))
        elif facts.get("type") != "exceed_context_size_error":
            self.broken += _is_its_own(status, facts)
            return EngineRefused(model=self.model, reason=message)
        return PromptTooLong(model=self.model, prompt_tokens=counts[0], window_tokens=counts[1])

    @contextmanager
    def _waited_for(self) -> Iterator[None]:
        """Somebody waits for the engine, and for nobody else, as long as the block runs."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def _failed(self, error: Exception | str) -> WorkerFailed:
        self.broken += 1
        if isinstance(error, TimeoutError):
            error = f"silent for {self._silence_s:g} s"
        return WorkerFailed(model=self.model, reason=str(error) or type(error).__name__, log="")


def _is_its_own(status: int, facts: Mapping[str, Any]) -> bool:
    """Whether an error is the engine's fault rather than the request's: 5xx, but for 501, which
    says that it was not started for this. In mid-stream the status is long said, and the error
    has it as its `code`, or none and is the engine's own."""
    code = facts.get("code")
    said = code if isinstance(code, int) else 500 if status == 200 else status
    return said >= 500 and said != 501


async def _note_reuse(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.is_reused = True


def _vector(encoded: object) -> "array[float]":
    vector = array("f")
    if isinstance(encoded, str):
        vector.frombytes(base64.b64decode(encoded, validate=True))
    else:
        vector.extend(encoded)  # type: ignore[arg-type]
    return vector
