"""A file from a web server, going on where a broken connection stopped."""

import http.client
import time
import urllib.error
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus

from lumbre.registry.reason import failed
from lumbre.registry.sources import Order
from lumbre.registry.sources._web import Ask, Cut, answered, refusal, span, tag_of, words_of
from lumbre.registry.transfer import Receipt

_PIECE_BYTES = 1 << 20
_WORTH_ANOTHER_TRY_BYTES = 1 << 20
_STALE = (HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, HTTPStatus.PRECONDITION_FAILED)


def fetch(order: Order, locate: Callable[[], Ask]) -> None:
    """Bring every byte into the partial file; `locate` says anew for each attempt where.

    A content whose tag changed since the last attempt is fetched from its beginning.

    Raises:
        SourceFailed: refused, or too many attempts brought too little.
    """
    failures = 0
    came = False
    while True:
        before_bytes = order.partial.size_bytes
        try:
            _attempt(order, locate())
        except Cut as cut:
            came_bytes = order.partial.size_bytes - before_bytes
            came = came or came_bytes > 0
            failures = 0 if came_bytes >= _WORTH_ANOTHER_TRY_BYTES else failures + 1
            worth_it = came or cut.wait_s is not None
            if not worth_it or failures >= order.patience.attempts:
                raise cut.failure from cut
            pause_s = order.patience.pause_s * 2**failures
            time.sleep(pause_s if cut.wait_s is None else cut.wait_s)
        else:
            return


def _attempt(order: Order, ask: Ask) -> None:
    uri, partial = order.uri, order.partial
    receipt = partial.receipt()
    have_bytes = partial.size_bytes if receipt and receipt.source == uri else 0
    if receipt and have_bytes and ask.tag and receipt.tag != ask.tag:
        partial.begin(Receipt(source=uri))
        have_bytes = 0
    if receipt and have_bytes and have_bytes == receipt.total_bytes:
        order.progress(have_bytes, receipt.total_bytes)
        return
    try:
        headers = _resuming(receipt, have_bytes, ask) if receipt and have_bytes else {}
        response = answered(uri, ask, order.patience, headers)
    except urllib.error.HTTPError as error:
        if error.code in _STALE and have_bytes:
            error.close()
            partial.begin(Receipt(source=uri))
            _attempt(order, ask)
            return
        raise refusal(uri, error) from error
    with response:
        start_bytes, total_bytes = span(response)
        tag = ask.tag or tag_of(response.headers)
        fresh = Receipt(source=uri, tag=tag, total_bytes=total_bytes)
        _refuse_unfit(order, response.headers, total_bytes)
        if start_bytes == 0:
            partial.begin(fresh)
        elif not have_bytes:
            raise failed(uri, "status", status=response.status)
        elif start_bytes != have_bytes or fresh != receipt:
            response.close()
            partial.begin(Receipt(source=uri))
            _attempt(order, ask)
            return
        _receive(order, response, start_bytes, total_bytes)


def _resuming(receipt: Receipt, have_bytes: int, ask: Ask) -> dict[str, str]:
    headers = {"Range": f"bytes={have_bytes}-"}
    # A tag of our own knowledge is not the one the server would compare with.
    if not ask.tag and receipt.tag and not receipt.tag.startswith("W/"):
        headers["If-Range"] = receipt.tag
    return headers


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
                raise Cut(failed(uri, "stalled", wait_s=order.patience.stall_s)) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Cut(failed(uri, "cut", detail=words_of(error))) from error
            if not piece:
                break
            done_bytes += len(piece)
            if most_bytes is not None and done_bytes > most_bytes:
                raise failed(uri, "wrong_size", found=done_bytes, expected=most_bytes)
            write(piece)
    if most_bytes is not None and done_bytes < most_bytes:
        raise Cut(failed(uri, "cut", detail=f"{done_bytes}/{most_bytes}"))


def _refuse_unfit(order: Order, headers: Message, total_bytes: int | None) -> None:
    coding = headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise failed(order.uri, "encoded", coding=coding)
    if None not in (total_bytes, order.size_bytes) and total_bytes != order.size_bytes:
        raise failed(order.uri, "wrong_size", found=total_bytes, expected=order.size_bytes)
