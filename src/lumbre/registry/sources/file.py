"""Weights from a file that is already on this machine or on a mounted disk.

`file:/absolute/path`, `file:///absolute/path` (percent-encoded), or `file:a/b.gguf`
relative to lumbre's home folder.
"""

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lumbre.registry.reason import failed
from lumbre.registry.sources import Order
from lumbre.registry.transfer import Receipt

_PIECE_BYTES = 4 << 20


def room_bytes(uri: str, size_bytes: int) -> int:
    return 0


def deliver(order: Order) -> float:
    uri, partial = order.uri, order.partial
    path = located(uri, order.home)
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise failed(uri, "not_a_file", path=path)
        original = path.open("rb")
    except OSError as error:
        raise failed(uri, "unreadable", path=path, detail=error.strerror) from error
    with original:
        total_bytes = facts.st_size
        if order.size_bytes not in (None, total_bytes):
            raise failed(uri, "wrong_size", found=total_bytes, expected=order.size_bytes)
        receipt = Receipt(source=uri, tag=str(facts.st_mtime_ns), total_bytes=total_bytes)
        if partial.receipt() != receipt:
            partial.begin(receipt)
        done_bytes = min(partial.size_bytes, total_bytes)
        original.seek(done_bytes)
        with partial.writing(done_bytes) as write:
            while done_bytes < total_bytes:
                order.progress(done_bytes, total_bytes)
                try:
                    piece = original.read(min(_PIECE_BYTES, total_bytes - done_bytes))
                except OSError as error:
                    raise failed(uri, "unreadable", path=path, detail=error.strerror) from error
                if not piece:
                    raise failed(uri, "wrong_size", found=done_bytes, expected=total_bytes)
                write(piece)
                done_bytes += len(piece)
        order.progress(done_bytes, total_bytes)
    return 0.0


def located(uri: str, home: Path) -> Path:
    """The path a `file:` URI names.

    Raises:
        SourceFailed: it names none, or another machine.
    """
    text = uri.removeprefix("file:")
    if text.startswith("//"):
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise failed(uri, "bad_uri") from error
        if parts.netloc not in ("", "localhost"):
            raise failed(uri, "bad_uri")
        text = unquote(parts.path)
    if not text or "\0" in text:
        raise failed(uri, "bad_uri")
    return home / text
