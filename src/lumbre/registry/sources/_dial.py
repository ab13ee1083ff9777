"""Connect within seconds or not at all, and notice when nothing comes any more."""

import http.client
import queue
import socket
import ssl
import threading
import time
import urllib.request
from http.client import HTTPMessage, HTTPResponse
from typing import IO

from lumbre.registry.reason import failed

Address = tuple[str | None, int]


def opener(stall_s: float) -> urllib.request.OpenerDirector:
    """Opens `https:` addresses; once connected, `stall_s` without a byte is a TimeoutError."""
    return urllib.request.build_opener(_Handler(stall_s), _HttpsOnly())


class _Handler(urllib.request.HTTPSHandler):
    def __init__(self, stall_s: float) -> None:
        super().__init__()
        self._stall_s = stall_s
        self._tls = ssl.create_default_context()

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        def connection(host: str, **settings: object) -> _Connection:
            timeout = settings["timeout"]
            assert isinstance(timeout, int | float)
            return _Connection(host, timeout=timeout, context=self._tls, stall_s=self._stall_s)

        return self.do_open(connection, req)


class _Connection(http.client.HTTPSConnection):
    def __init__(
        self, host: str, *, timeout: float, context: ssl.SSLContext, stall_s: float
    ) -> None:
        super().__init__(host, timeout=timeout, context=context)
        self._stall_s = stall_s
        # The library tries each address of a host for the whole timeout: a silent host
        # with eight of them would cost eight times as long.
        self._create_connection = dialled

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._stall_s)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith("https:"):
            fp.close()
            raise failed(req.full_url, "redirected", where=newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def dialled(address: Address, timeout: float, source_address: object = None) -> socket.socket:
    """A connected socket, every address of the host tried within one timeout.

    Raises:
        OSError: none answered; the last one's error.
    """
    deadline_s = time.monotonic() + timeout
    found = _looked_up(address, timeout)
    problem: OSError = TimeoutError("timed out")
    for tried, (family, kind, protocol, _, where) in enumerate(found):
        share_s = (deadline_s - time.monotonic()) / (len(found) - tried)
        if share_s <= 0:
            break
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(share_s)
            connecting.connect(where)
        except OSError as error:
            connecting.close()
            problem = error
        else:
            connecting.settimeout(timeout)
            return connecting
    raise problem


_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]


def _looked_up(address: Address, within_s: float) -> _Found:
    """The addresses of a host. Resolvers have no timeout of their own worth the name."""
    box: queue.SimpleQueue[_Found | OSError] = queue.SimpleQueue()

    def look() -> None:
        try:
            box.put(list(socket.getaddrinfo(*address, type=socket.SOCK_STREAM)))
        except OSError as error:
            box.put(error)

    threading.Thread(target=look, daemon=True).start()
    try:
        found = box.get(timeout=within_s)
    except queue.Empty as error:
        raise TimeoutError(f"no address for {address[0]}") from error
    if isinstance(found, OSError):
        raise found
    return found
