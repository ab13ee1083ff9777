"""A web address delivers the whole file or says why not, and never fetches twice what it has."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, _dial, https
from lumbre.registry.transfer import Partial
from tests.registry.places import AUTHORITY, Site, some_bytes, website

CONTENT = some_bytes(300_000)
QUICK = Patience(connect_s=5.0, stall_s=5.0, attempts=3, pause_s=0.0)
Serve = Callable[[Site], str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    for proxy in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(website(site))


def deliver(
    uri: str,
    folder: Path,
    *,
    size_bytes: int | None = None,
    patience: Patience = QUICK,
    seen: list[tuple[int, int | None]] | None = None,
) -> Partial:
    partial = Partial(folder / "model.gguf", size_bytes)
    told = seen if seen is not None else []
    https.deliver(
        Order(uri, partial, size_bytes, folder, patience, lambda done, of: told.append((done, of)))
    )
    return partial


def why(uri: str, folder: Path, **settings: object) -> Why:
    with pytest.raises(SourceFailed) as caught:
        deliver(uri, folder, **settings)  # type: ignore[arg-type]
    assert reason_of(caught.value).say("ru")
    return reason_of(caught.value).code


def test_the_file_arrives_and_its_progress_is_told(serve: Serve, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    partial = deliver(serve(Site(CONTENT)), tmp_path, size_bytes=len(CONTENT), seen=seen)
    assert partial.path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_cut_in_the_middle_goes_on_where_it_stopped(
    serve: Serve, tmp_path: Path
) -> None:
    site = Site(CONTENT, cuts=[100_000, 50_000])
    assert deliver(serve(site), tmp_path).path.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_run_goes_on_where_the_first_one_gave_up(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, cuts=[90_000, 1, 1, 0])
    uri = serve(site)
    assert why(uri, tmp_path) == "cut"
    del site.cuts[:]
    asked_before = len(site.asked)
    assert deliver(uri, tmp_path).path.read_bytes() == CONTENT
    assert site.asked[asked_before:] == ["bytes=90002-"]


def test_connections_that_bring_next_to_nothing_end_after_the_attempts(
    serve: Serve, tmp_path: Path
) -> None:
    site = Site(CONTENT, cuts=[10] * 50)
    assert why(serve(site), tmp_path) == "cut"
    assert len(site.asked) == QUICK.attempts


def test_connections_that_bring_much_are_renewed_beyond_the_attempts(
    serve: Serve, tmp_path: Path
) -> None:
    content = some_bytes(6 << 20)
    site = Site(content, cuts=[1 << 20] * 5)
    assert deliver(serve(site), tmp_path).path.read_bytes() == content
    assert len(site.asked) == 6 > QUICK.attempts


def test_a_file_already_whole_is_not_asked_for_again(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT)
    uri = serve(site)
    deliver(uri, tmp_path)
    deliver(uri, tmp_path)
    assert len(site.asked) == 1


@pytest.mark.parametrize("change", ["etag", "weak etag", "date", "length"])
def test_a_file_that_changed_is_fetched_from_its_beginning(
    change: str, serve: Serve, tmp_path: Path
) -> None:
    tags = {"weak etag": ('W/"one"', None), "date": (None, "Mon, 02 Nov 2026 10:00:00 GMT")}
    etag, modified = tags.get(change, ('"one"', None))
    site = Site(CONTENT, etag=etag, modified=modified, cuts=[100_000, 0, 0])
    if change == "length":
        site.etag = None
    uri = serve(site)
    assert why(uri, tmp_path) == "cut"
    del site.cuts[:]
    site.content = some_bytes(len(CONTENT) + (7 if change == "length" else 0), seed=2)
    if change == "date":
        site.modified = "Tue, 03 Nov 2026 10:00:00 GMT"
    elif change != "length":
        site.etag = f'{(site.etag or "")[:-1]}-two"'
    assert deliver(uri, tmp_path).path.read_bytes() == site.content


def test_a_server_without_ranges_starts_over(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, ranges=False, cuts=[100_000])
    assert deliver(serve(site), tmp_path).path.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-"]


def test_a_server_that_answers_with_another_range_is_asked_for_all(
    serve: Serve, tmp_path: Path
) -> None:
    site = Site(CONTENT, cuts=[100_000], range_answer="bytes 5-9/300000")
    assert deliver(serve(site), tmp_path).path.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-", None]


def test_a_partial_file_longer_than_the_file_there_is_dropped(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, cuts=[200_000, 0, 0], etag=None)
    uri = serve(site)
    assert why(uri, tmp_path) == "cut"
    del site.cuts[:]
    site.content = CONTENT[:1000]
    assert deliver(uri, tmp_path).path.read_bytes() == CONTENT[:1000]


def test_a_file_of_unknown_length_ends_with_its_connection(serve: Serve, tmp_path: Path) -> None:
    uri = serve(Site(CONTENT, says_length=False))
    assert deliver(uri, tmp_path).path.read_bytes() == CONTENT


def test_a_redirect_is_followed_with_its_range(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, cuts=[100_000])
    site.redirect = "/moved"
    assert deliver(serve(site), tmp_path).path.read_bytes() == CONTENT
    assert site.asked == [None, None, "bytes=100000-", "bytes=100000-"]


def test_a_redirect_away_from_https_is_refused(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, redirect="http://127.0.0.1:9/model.gguf")
    assert why(serve(site), tmp_path) == "redirected"


@pytest.mark.parametrize("status", [401, 404, 416, 500, 503])
def test_a_refusal_is_named_and_not_repeated(status: int, serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, statuses=[status] * 9)
    assert why(serve(site), tmp_path) == "status"
    assert len(site.asked) == 1


def test_a_server_that_stumbles_in_the_middle_is_asked_again(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, cuts=[100_000], statuses=[200, 503])
    assert deliver(serve(site), tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize("off", [-1, 1])
def test_a_file_of_another_size_is_refused_before_it_is_fetched(
    off: int, serve: Serve, tmp_path: Path
) -> None:
    uri = serve(Site(CONTENT))
    assert why(uri, tmp_path, size_bytes=len(CONTENT) + off) == "wrong_size"
    assert Partial(tmp_path / "model.gguf").size_bytes == 0


def test_no_more_than_the_expected_bytes_are_ever_written(serve: Serve, tmp_path: Path) -> None:
    uri = serve(Site(CONTENT, says_length=False))
    assert why(uri, tmp_path, size_bytes=1000) == "wrong_size"
    assert Partial(tmp_path / "model.gguf").size_bytes <= 1000


def test_a_packed_answer_is_refused(serve: Serve, tmp_path: Path) -> None:
    assert why(serve(Site(CONTENT, coding="gzip")), tmp_path) == "encoded"


@pytest.mark.timeout(60)
def test_silence_is_not_waited_out(serve: Serve, tmp_path: Path) -> None:
    site = Site(CONTENT, hold_at=1000)
    patience = Patience(connect_s=1000.0, stall_s=0.2, attempts=2, pause_s=0.0)
    assert why(serve(site), tmp_path, patience=patience) == "stalled"
    assert Partial(tmp_path / "model.gguf").size_bytes == 2000, "both attempts went on"


def test_nobody_at_the_address_is_said_at_once(serve: Serve, tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    assert why(f"https://127.0.0.1:{port}/x", tmp_path) == "no_connection"


def test_a_server_nobody_vouches_for_is_refused(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = serve(Site(CONTENT))
    monkeypatch.delenv("SSL_CERT_FILE")
    assert why(uri, tmp_path) == "no_connection"


@pytest.mark.parametrize("uri", ["https://a b/x", "https://127.0.0.1:port/x", "https://[/x"])
def test_an_address_that_is_none_is_said(uri: str, tmp_path: Path) -> None:
    assert why(uri, tmp_path) in ("bad_uri", "no_connection")


def test_a_host_that_lets_nobody_in_costs_no_more_than_the_timeout() -> None:
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            knock = waiting.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(full.getsockname())
        with pytest.raises(TimeoutError):
            _dial.dialled(full.getsockname(), 0.3)


@pytest.mark.parametrize(
    ("before", "after", "goes"),
    [
        ("https://a.example/x", "https://b.example/y", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://127.0.0.1/x", False),
        ("https://a.example/x", "https://localhost:8443/x", False),
        ("https://a.example/x", "https://[::1]/x", False),
        ("https://a.example/x", "http://127.0.0.1/x", False),
        ("https://127.0.0.1/x", "http://127.0.0.1/x", False),
        ("http://127.0.0.1:1/x", "http://127.0.0.2:2/x", True),
        ("http://127.0.0.1:1/x", "https://a.example/x", True),
        ("http://127.0.0.1:1/x", "http://a.example/x", False),
        ("https://a.example/x", "file:///etc/passwd", False),
        ("https://a.example/x", "https://[/x", False),
    ],
)
def test_a_redirect_goes_on_only_to_where_it_is_no_less_safe(
    before: str, after: str, goes: bool
) -> None:
    assert _dial.may_go_on(before, after) == goes
