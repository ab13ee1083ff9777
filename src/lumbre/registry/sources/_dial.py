"""Connect within seconds or not at all, and notice when nothing comes any more."""

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
import urllib.request
from http.client import HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import urlsplit

from lumbre.registry.reason import failed

Address = tuple[str | None, int]


def opener(stall_s: float) -> urllib.request.OpenerDirector:
    """Opens `https:` addresses, and `http:` ones of this machine itself.

    Once connected, `stall_s` without a byte is a TimeoutError. What a request holds as
    unredirected (a key, say) goes to no other host, port or scheme.
    """
    handlers = (_Https(stall_s), _Http(stall_s), _Proxies(), _Onward())
    return urllib.request.build_opener(*handlers)


def is_this_machine(host: str | None) -> bool:
    """Whether a host of an address is certainly this one."""
    name = (host or "").strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def may_ask(url: str) -> bool:
    """Whether an address may be asked at all: over https, or plainly on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname))


def may_go_on(before: str, after: str) -> bool:
    """Whether a redirect is followed: never from https to less, never from outside in here."""
    if not may_ask(after):
        return False
    known, wanted = urlsplit(before), urlsplit(after)
    if is_this_machine(wanted.hostname) and not is_this_machine(known.hostname):
        return False
    return wanted.scheme == "https" or known.scheme == "http"


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, stall_s: float) -> None:
        super().__init__()
        self._stall_s = stall_s
        self._tls = ssl.create_default_context()

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        def connection(host: str, **settings: object) -> _Tls:
            timeout_s = settings["timeout"]
            assert isinstance(timeout_s, int | float)
            return _Tls(self._stall_s, host, timeout=timeout_s, context=self._tls)

        return self.do_open(connection, req)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, stall_s: float) -> None:
        super().__init__()
        self._stall_s = stall_s

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        def connection(host: str, **settings: object) -> _Plain:
            timeout_s = settings["timeout"]
            assert isinstance(timeout_s, int | float)
            return _Plain(self._stall_s, host, timeout=timeout_s)

        return self.do_open(connection, req)


class _Plain(http.client.HTTPConnection):
    def __init__(self, stall_s: float, host: str, **settings: Any) -> None:
        super().__init__(host, **settings)
        self._stall_s = stall_s
        # The library tries each address of a host for the whole timeout: a silent host
        # with eight of them would cost eight times as long.
        self._create_connection = dialled

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._stall_s)


class _Tls(_Plain, http.client.HTTPSConnection):
    """The same over TLS: the order of the bases puts its connect between the two."""


class _Proxies(urllib.request.ProxyHandler):
    """Python's own, but nobody else is asked to reach this machine."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:  # noqa: A002
        if is_this_machine(urlsplit(req.full_url).hostname):
            return None
        return super().proxy_open(req, proxy, type)


class _Onward(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not may_go_on(req.full_url, newurl):
            fp.close()
            raise failed(req.full_url, "redirected", where=_without_query(newurl))
        onward = super().redirect_request(req, fp, code, msg, headers, newurl)
        key = req.unredirected_hdrs.get("Authorization")
        if onward is not None and key and _origin(newurl) == _origin(req.full_url):
            onward.add_unredirected_header("Authorization", key)
        return onward


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _without_query(url: str) -> str:
    """Signed addresses carry their key behind the question mark."""
    return url.partition("?")[0]


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
