"""One question to a web server, and what its silence, refusal or answer means.

Proxies and extra authorities are those Python itself knows of (`HTTPS_PROXY`,
`SSL_CERT_FILE`).
"""

import email.utils
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience
from lumbre.registry.sources._dial import may_ask, opener

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_LONGEST_WAIT_S = 60.0
"""A server that wants to be left alone for longer has given up."""
_UNSAID_WAIT_S = 1.0
_MOST_JSON_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a server, and what is known of the answer beforehand."""

    url: str
    key: str = field(default="", repr=False)
    """The Authorization header. It goes to no other host."""
    accept: str = ""
    tag: str = ""
    """What tells this content from another, where something knows better than the answer."""


class Cut(Exception):
    """It did not come now and may come next time; `failure` is what to say if it never does."""

    def __init__(self, failure: SourceFailed, wait_s: float | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.wait_s = wait_s
        """As the server asked for; None: it did not say."""


def answered(
    source: str, ask: Ask, patience: Patience, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    """The open answer of a server. Whoever takes it closes it.

    Raises:
        urllib.error.HTTPError: the server refused; see `refusal`. It has to be closed.
        Cut, SourceFailed: as `asking`.
    """
    with asking(source, patience):
        if urlsplit(ask.url).netloc and not may_ask(ask.url):
            raise failed(source, "not_https", where=ask.url.partition("?")[0])
        request = urllib.request.Request(ask.url)
        request.add_header("User-Agent", "lumbre")
        request.add_header("Accept-Encoding", "identity")
        if ask.accept:
            request.add_header("Accept", ask.accept)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if ask.key:
            request.add_unredirected_header("Authorization", ask.key)
        response = opener(patience.stall_s).open(request, timeout=patience.connect_s)
    assert isinstance(response, http.client.HTTPResponse)
    return response


@contextmanager
def asking(source: str, patience: Patience) -> Iterator[None]:
    """Give a name to what goes wrong between us and a server.

    Raises:
        Cut: no connection, silence, a broken answer.
        SourceFailed: an address that is none, or a redirect that is not followed.
    """
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise Cut(failed(source, "no_connection", detail=words_of(error.reason))) from error
    except TimeoutError as error:
        raise Cut(failed(source, "stalled", wait_s=patience.stall_s)) from error
    except http.client.InvalidURL as error:
        raise failed(source, "bad_uri") from error
    except (OSError, http.client.HTTPException) as error:
        raise Cut(failed(source, "no_connection", detail=words_of(error))) from error
    except ValueError as error:
        raise failed(source, "bad_uri") from error


def refusal(source: str, error: urllib.error.HTTPError) -> Cut | SourceFailed:
    """What a status that is no answer comes to; the answer is closed."""
    code, later = error.code, error.headers.get("Retry-After")
    error.close()
    return turned_away(source, code, later)


def turned_away(source: str, status: int, retry_after: str | None) -> Cut | SourceFailed:
    """The failure behind a status; a Cut where asking again may help."""
    wait_s = _wait_s(retry_after)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status >= 500 and wait_s is not None):
        wait_s = _UNSAID_WAIT_S if wait_s is None else wait_s
        failure = failed(source, "busy", wait_s=wait_s)
        return Cut(failure, wait_s) if wait_s <= _LONGEST_WAIT_S else failure
    failure = failed(source, "status", status=status)
    return Cut(failure) if status >= 500 else failure


def json_of(source: str, response: http.client.HTTPResponse, patience: Patience) -> object:
    """The JSON that an answer holds; the answer is closed.

    Raises:
        SourceFailed: it is none, or longer than can be believed.
        Cut: it did not come whole.
    """
    with response, asking(source, patience):
        text = response.read(_MOST_JSON_BYTES + 1)
    try:
        if len(text) > _MOST_JSON_BYTES:
            raise ValueError(f"> {_MOST_JSON_BYTES} B")
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise failed(source, "garbled", detail=str(error)[:200]) from error
    return found


def span(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where in the file the answer begins, and how long the file is."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if not match:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isascii() and length.isdigit() else None


def tag_of(headers: Message) -> str:
    """What the server calls this content: its ETag, else its date."""
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def words_of(error: object) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _wait_s(text: str | None) -> float | None:
    """Source: RFC 9110, 10.2.3: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())
