"""Weights from a web address, going on where a broken connection stopped.

Proxies and extra authorities are those Python itself knows of (`HTTPS_PROXY`,
`SSL_CERT_FILE`). Redirects are followed to `https:` only.
"""

import http.client
import re
import time
import urllib.error
import urllib.request
from email.message import Message
from http import HTTPStatus

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import failed
from lumbre.registry.sources import Order
from lumbre.registry.sources._dial import opener
from lumbre.registry.transfer import Receipt

_PIECE_BYTES = 1 << 20
_WORTH_ANOTHER_TRY_BYTES = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_STALE = (HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, HTTPStatus.PRECONDITION_FAILED)


class _Cut(Exception):
    """The connection ended early; `failure` is what to say if that was the last attempt."""

    def __init__(self, failure: SourceFailed) -> None:
        super().__init__(failure)
        self.failure = failure


def room_bytes(uri: str, size_bytes: int) -> int:
    return 0


def deliver(order: Order) -> float:
    failures = 0
    came = False
    while True:
        before_bytes = order.partial.size_bytes
        try:
            _attempt(order)
        except _Cut as cut:
            came_bytes = order.partial.size_bytes - before_bytes
            came = came or came_bytes > 0
            failures = 0 if came_bytes >= _WORTH_ANOTHER_TRY_BYTES else failures + 1
            if not came or failures >= order.patience.attempts:
                raise cut.failure from cut
            time.sleep(order.patience.pause_s * 2**failures)
        else:
            return 0.0


def _attempt(order: Order) -> None:
    uri, partial = order.uri, order.partial
    receipt = partial.receipt()
    have_bytes = partial.size_bytes if receipt and receipt.source == uri else 0
    if receipt and have_bytes and have_bytes == receipt.total_bytes:
        order.progress(have_bytes, receipt.total_bytes)
        return
    try:
        response = _answer(order, receipt if have_bytes else None, have_bytes)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _STALE and have_bytes:
            partial.begin(Receipt(source=uri))
            _attempt(order)
            return
        failure = failed(uri, "status", status=error.code)
        raise (_Cut(failure) if error.code >= 500 else failure) from error
    with response:
        headers = response.headers
        start_bytes, total_bytes = _span(response)
        fresh = Receipt(source=uri, tag=_tag(headers), total_bytes=total_bytes)
        _refuse_unfit(order, headers, total_bytes)
        if start_bytes == 0:
            partial.begin(fresh)
        elif not have_bytes:
            raise failed(uri, "status", status=response.status)
        elif start_bytes != have_bytes or fresh != receipt:
            response.close()
            partial.begin(Receipt(source=uri))
            _attempt(order)
            return
        _receive(order, response, start_bytes, total_bytes)


def _answer(order: Order, receipt: Receipt | None, have_bytes: int) -> http.client.HTTPResponse:
    uri, patience = order.uri, order.patience
    try:
        request = urllib.request.Request(uri)
        request.add_header("User-Agent", "lumbre")
        request.add_header("Accept-Encoding", "identity")
        if receipt:
            request.add_header("Range", f"bytes={have_bytes}-")
            validator = receipt.tag.removeprefix("W/")
            if validator and validator == receipt.tag:
                request.add_header("If-Range", validator)
        response = opener(patience.stall_s).open(request, timeout=patience.connect_s)
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise _Cut(failed(uri, "no_connection", detail=_words(error.reason))) from error
    except TimeoutError as error:
        raise _Cut(failed(uri, "stalled", wait_s=patience.stall_s)) from error
    except http.client.InvalidURL as error:
        raise failed(uri, "bad_uri") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(failed(uri, "no_connection", detail=_words(error))) from error
    except ValueError as error:
        raise failed(uri, "bad_uri") from error
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _receive(
    order: Order, response: http.client.HTTPResponse, start_bytes: int, total_bytes: int | None
) -> None:
    uri, partial = order.uri, order.partial
    most_bytes = total_bytes if total_bytes is not None else order.size_bytes
    done_bytes = start_bytes
    with partial.writing(start_bytes) as write:
        while True:
            order.progress(done_bytes, most_bytes)
            try:
                piece = response.read1(_PIECE_BYTES)
            except TimeoutError as error:
                raise _Cut(failed(uri, "stalled", wait_s=order.patience.stall_s)) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _Cut(failed(uri, "cut", detail=_words(error))) from error
            if not piece:
                break
            done_bytes += len(piece)
            if most_bytes is not None and done_bytes > most_bytes:
                raise failed(uri, "wrong_size", found=done_bytes, expected=most_bytes)
            write(piece)
    if most_bytes is not None and done_bytes < most_bytes:
        raise _Cut(failed(uri, "cut", detail=f"{done_bytes}/{most_bytes}"))


def _span(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where in the file the answer begins, and how long the file is."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if not match:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isascii() and length.isdigit() else None


def _refuse_unfit(order: Order, headers: Message, total_bytes: int | None) -> None:
    coding = headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise failed(order.uri, "encoded", coding=coding)
    if None not in (total_bytes, order.size_bytes) and total_bytes != order.size_bytes:
        raise failed(order.uri, "wrong_size", found=total_bytes, expected=order.size_bytes)


def _tag(headers: Message) -> str:
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def _words(error: object) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
