"""An engine's side of the wire, written down: a loopback server that answers what a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from lumbre.backends.wire import Wire

Answers = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
"""Gets the number of the request on its connection; may close the writer."""


class Recorder:
    """A loopback server that writes down each request and answers what a test wants."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self._serving: set[asyncio.Task[None]] = set()
        self.left = asyncio.Event()
        """Set when a client has gone."""

    @asynccontextmanager
    async def listening(self, silence_s: float = 30.0) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire = Wire("m", f"http://127.0.0.1:{port}", "the-key", silence_s)
        try:
            yield wire
        finally:
            await wire.close()
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_this = 0
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append((head[0], headers, body))
                on_this += 1
                await self._answers(on_this, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def reply(body: object, status: str = "200 OK") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(raw), raw)


def stream(*events: str) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"".join(chunk(event) for event in events)


def chunk(event: str) -> bytes:
    raw = f"data: {event}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(raw), raw)


END = b"0\r\n\r\n"


def always(raw: bytes) -> Answers:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer
