"""A file on a server, read piece by piece and never as a whole."""

import time
import urllib.error
from http import HTTPStatus

from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience
from lumbre.registry.sources._web import Ask, Cut, answered, asking, refusal, span, tag_of

_MOST_SKIPPED_BYTES = 64 << 20
"""What is read in vain where a server only hands out files from their beginning."""


class Distant:
    """The bytes of a file that somebody else keeps; each reading is a question to them.

    Raises, from `read`:
        SourceFailed: the server refuses, stays silent, or has another file there now.
    """

    def __init__(self, source: str, ask: Ask, size_bytes: int, patience: Patience) -> None:
        self.size_bytes = size_bytes
        self._source = source
        self._ask = ask
        self._patience = patience
        self._tag: str | None = None
        """Names the bytes of the first answer, where the server names them."""

    def read(self, at_bytes: int, count_bytes: int, /) -> bytes:
        """So many bytes from there on; fewer only at the end of the file."""
        count_bytes = max(0, min(count_bytes, self.size_bytes - at_bytes))
        for attempt in range(self._patience.attempts):
            try:
                return self._asked(at_bytes, count_bytes) if count_bytes else b""
            except Cut as cut:
                if attempt + 1 == self._patience.attempts:
                    raise cut.failure from cut
                pause_s = self._patience.pause_s * 2**attempt
                time.sleep(pause_s if cut.wait_s is None else cut.wait_s)
        raise AssertionError("no attempt is allowed")

    def _asked(self, at_bytes: int, count_bytes: int) -> bytes:
        source = self._source
        last_bytes = at_bytes + count_bytes - 1
        headers = {"Range": f"bytes={at_bytes}-{last_bytes}"}
        try:
            response = answered(source, self._ask, self._patience, headers)
        except urllib.error.HTTPError as error:
            raise refusal(source, error) from error
        with response:
            start_bytes, total_bytes = span(response)
            if total_bytes not in (None, self.size_bytes):
                found, expected = total_bytes, self.size_bytes
                raise failed(source, "wrong_size", found=found, expected=expected)
            tag = tag_of(response.headers)
            if self._tag is None:
                self._tag = tag
            elif tag != self._tag:
                raise failed(source, "changed_while_read")
            skipped_bytes = at_bytes - start_bytes
            if start_bytes < 0 or not 0 <= skipped_bytes <= _MOST_SKIPPED_BYTES:
                raise failed(source, "status", status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            with asking(source, self._patience):
                data = response.read(skipped_bytes + count_bytes)
        if len(data) < skipped_bytes + count_bytes:
            detail = f"{len(data)}/{skipped_bytes + count_bytes}"
            raise Cut(failed(source, "cut", detail=detail))
        return data[skipped_bytes:]
