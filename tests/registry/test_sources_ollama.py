"""The Ollama library delivers the part whose checksum was asked for, also when a tag moved on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lumbre.core.errors import SourceFailed
from lumbre.registry.fetch import pull
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, Places, ollama
from lumbre.registry.sources._library import address
from lumbre.registry.transfer import Partial
from lumbre.registry.weights import Weights
from lumbre.store import Store
from tests.registry.hubs import Library, library_of
from tests.registry.places import manifest, sha256, some_bytes

CONTENT = some_bytes(300_000)
EYES = some_bytes(5_000, seed=7)
QUICK = Patience(connect_s=5.0, stall_s=5.0, attempts=3, pause_s=0.0)
Serve = Callable[[Library], Places]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ExitStack() as stack:
        yield lambda library: Places(ollama=stack.enter_context(library_of(library)))


def deliver(
    places: Places, folder: Path, uri: str = "ollama:tiny:1m", expected: str | None = None
) -> Partial:
    partial = Partial(folder / "model.gguf")
    ollama.deliver(Order(uri, partial, None, folder, QUICK, lambda *_: None, expected, places))
    return partial


def why(places: Places, folder: Path, uri: str = "ollama:tiny:1m", **settings: str) -> Why:
    with pytest.raises(SourceFailed) as caught:
        deliver(places, folder, uri, **settings)
    assert "signature" not in caught.value.message("ru")
    return reason_of(caught.value).code


def library(**settings: object) -> Library:
    parts = [("model", CONTENT), ("template", b"{{ .Prompt }}"), ("projector", EYES)]
    return Library(parts, **settings)  # type: ignore[arg-type]


def test_the_models_bytes_come_by_their_checksum(serve: Serve, tmp_path: Path) -> None:
    shelf = library()
    assert deliver(serve(shelf), tmp_path).path.read_bytes() == CONTENT
    assert [path for path, _ in shelf.asked] == [
        "/v2/library/tiny/manifests/1m",
        f"/v2/library/tiny/blobs/sha256:{sha256(CONTENT)}",
    ]


def test_another_part_is_named_by_its_kind(serve: Serve, tmp_path: Path) -> None:
    places = serve(library())
    assert deliver(places, tmp_path, "ollama:tiny:1m#projector").path.read_bytes() == EYES
    assert why(places, tmp_path, "ollama:tiny:1m#adapter") == "no_layer"


def test_a_name_without_a_tag_is_the_latest_and_one_with_a_space_is_its_owners(
    serve: Serve, tmp_path: Path
) -> None:
    places = serve(library(name="me/tiny:latest"))
    assert deliver(places, tmp_path, "ollama:me/tiny").path.read_bytes() == CONTENT
    assert why(places, tmp_path, "ollama:tiny") == "no_model"


def test_a_token_is_fetched_where_one_is_asked_for_and_stays_with_the_registry(
    serve: Serve, tmp_path: Path
) -> None:
    shelf = library(token="abc")
    assert deliver(serve(shelf), tmp_path).path.read_bytes() == CONTENT
    assert "/token?service=registry&scope=repository%3Atiny%3Apull" in dict(shelf.asked)
    assert shelf.asked[-1][1] == "Bearer abc"
    assert shelf.store.keys == [None]


@pytest.mark.parametrize("realm", ["http://192.0.2.1/token", "file:///etc/passwd", ""])
def test_a_token_is_asked_for_only_where_one_may_ask(
    serve: Serve, tmp_path: Path, realm: str
) -> None:
    shelf = library(token="abc", realm=realm or "x")
    assert why(serve(shelf), tmp_path) == "redirected"


def test_a_broken_connection_goes_on_where_it_stopped(serve: Serve, tmp_path: Path) -> None:
    shelf = library()
    shelf.store.cuts = [100_000, 50_000]
    assert deliver(serve(shelf), tmp_path).path.read_bytes() == CONTENT
    assert shelf.store.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_tag_that_moved_on_still_gives_the_part_that_was_added(
    serve: Serve, tmp_path: Path
) -> None:
    older = some_bytes(1000, seed=9)
    shelf = library(old=[older])
    places = serve(shelf)
    assert deliver(places, tmp_path, expected=sha256(older)).path.read_bytes() == older
    shelf.old.clear()
    Partial(tmp_path / "model.gguf").discard()
    assert why(places, tmp_path, expected=sha256(older)) == "other_bytes"


def test_a_part_that_changed_in_between_is_fetched_from_its_beginning(
    serve: Serve, tmp_path: Path
) -> None:
    shelf = library()
    shelf.store.cuts = [100_000, 0, 0]
    places = serve(shelf)
    assert why(places, tmp_path) == "cut"
    newer = some_bytes(len(CONTENT), seed=3)
    shelf.parts[0] = ("model", newer)
    assert deliver(places, tmp_path).path.read_bytes() == newer


def test_a_model_is_pulled_and_held_to_its_checksum(serve: Serve, tmp_path: Path) -> None:
    weights = Weights(tmp_path / "weights", Store(tmp_path / "lumbre.db"))
    wanted = manifest(CONTENT, "ollama:tiny:1m")
    pull(wanted, weights, home=tmp_path, report=lambda _: None, places=serve(library()))
    assert weights.state(wanted) == "present"


@pytest.mark.parametrize(
    "text",
    [
        b"<html>",
        b"[]",
        b'{"layers": []}',
        b'{"layers": [{"mediaType": "x", "digest": "sha256:../../x", "size": 1}]}',
        b'{"layers": [{"mediaType": "x", "digest": "sha256:%s", "size": -1}]}' % (b"a" * 64),
        b'{"layers": [{"mediaType": "x", "digest": 7}]}',
        b"[" * 100_000,
    ],
)
def test_a_manifest_that_is_none_is_said(serve: Serve, tmp_path: Path, text: bytes) -> None:
    assert why(serve(library(manifest=text)), tmp_path) == "garbled"


@pytest.mark.parametrize(
    "uri", ["ollama:", "ollama:a/b/c", "ollama:../x", "ollama:a:b:c", "ollama:a b", "ollama:/a"]
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, uri: str) -> None:
    assert why(Places(), tmp_path, uri) == "bad_uri"


def test_a_model_is_written_as_ollama_writes_it() -> None:
    assert address("ollama:llama3.2:1b").model == "llama3.2:1b"
    assert address("ollama:me/x").model == "me/x:latest"
    assert address("ollama:me/x").part("projector") == "ollama:me/x:latest#projector"
