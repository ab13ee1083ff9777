"""The hub delivers exactly the file its description promised, or says what to do about it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lumbre.core.errors import NoSourceDelivered, SourceFailed
from lumbre.registry.fetch import pull
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, Places, hf
from lumbre.registry.sources._hub import address, repository_of
from lumbre.registry.transfer import Partial
from lumbre.registry.weights import Weights
from lumbre.store import Store
from tests.registry.hubs import COMMIT, Hub, hub_of
from tests.registry.places import manifest, sha256, some_bytes

CONTENT = some_bytes(300_000)
FILE = "sub folder/model.Q4_K_M.gguf"
URI = f"hf:someone/some-model-GGUF/{FILE}"
QUICK = Patience(connect_s=5.0, stall_s=5.0, attempts=3, pause_s=0.0)
SECRET = "hf_verySecretThing"
Serve = Callable[..., Places]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ExitStack() as stack:
        yield lambda hub, token="": Places(
            hub=stack.enter_context(hub_of(hub)), hub_token=token, hub_token_name="MY_TOKEN"
        )


def deliver(
    places: Places,
    folder: Path,
    uri: str = URI,
    *,
    size_bytes: int | None = None,
    expected: str | None = None,
    patience: Patience = QUICK,
) -> Partial:
    partial = Partial(folder / "model.gguf", size_bytes)
    order = Order(uri, partial, size_bytes, folder, patience, lambda *_: None, expected, places)
    hf.deliver(order)
    return partial


def why(places: Places, folder: Path, uri: str = URI, **settings: object) -> Why:
    with pytest.raises(SourceFailed) as caught:
        deliver(places, folder, uri, **settings)  # type: ignore[arg-type]
    for language in ("en", "es", "ru"):
        assert SECRET not in caught.value.message(language)
        assert "signature" not in caught.value.message(language)
    return reason_of(caught.value).code


def test_a_file_comes_from_the_other_host_it_is_sent_on_to(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT})
    assert deliver(serve(hub), tmp_path).path.read_bytes() == CONTENT
    assert hub.store.asked == [None]
    paths = [path for _, path, _ in hub.asked]
    assert paths == [f"/{hub.repository}/resolve/{at}/{FILE}" for at in ("main", COMMIT)]


def test_a_token_goes_to_the_hub_and_to_nobody_else(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT}, token=SECRET)
    assert deliver(serve(hub, SECRET), tmp_path).path.read_bytes() == CONTENT
    assert {key for _, _, key in hub.asked} == {f"Bearer {SECRET}"}
    assert hub.store.keys == [None]


def test_a_token_follows_a_renamed_repository_on_the_same_host(
    serve: Serve, tmp_path: Path
) -> None:
    hub = Hub({FILE: CONTENT}, token=SECRET, renamed_from="someone/old-name")
    uri = f"hf:someone/old-name/{FILE}"
    assert deliver(serve(hub, SECRET), tmp_path, uri).path.read_bytes() == CONTENT
    assert {key for _, _, key in hub.asked} == {f"Bearer {SECRET}"}


def test_a_token_kept_by_the_library_itself_is_never_read(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(SECRET)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    hub = Hub({FILE: CONTENT})
    places = serve(hub)
    deliver(places, tmp_path)
    repository_of(address("hf:someone/some-model-GGUF"), places, QUICK)
    assert {key for _, _, key in hub.asked} == {None}


def test_a_broken_connection_goes_on_where_it_stopped(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT})
    hub.store.cuts = [100_000, 50_000]
    assert deliver(serve(hub), tmp_path).path.read_bytes() == CONTENT
    assert hub.store.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_file_that_changed_in_between_is_fetched_from_its_beginning(
    serve: Serve, tmp_path: Path
) -> None:
    hub = Hub({FILE: CONTENT})
    hub.store.cuts = [100_000, 0, 0]
    places = serve(hub)
    assert why(places, tmp_path) == "cut"
    hub.files[FILE] = some_bytes(len(CONTENT), seed=2)
    hub.commit = "f" * 40
    assert deliver(places, tmp_path).path.read_bytes() == hub.files[FILE]
    assert hub.store.asked[-1] is None


def test_a_file_that_came_whole_is_not_taken_for_another_that_is_there_now(
    serve: Serve, tmp_path: Path
) -> None:
    hub = Hub({FILE: CONTENT})
    places = serve(hub)
    deliver(places, tmp_path)
    deliver(places, tmp_path)
    assert len(hub.store.asked) == 1
    hub.files[FILE] = some_bytes(len(CONTENT), seed=2)
    assert deliver(places, tmp_path).path.read_bytes() == hub.files[FILE]


def test_a_named_commit_stays_what_it_is(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT})
    places = serve(hub)
    assert deliver(places, tmp_path, f"{URI}@{COMMIT}").path.read_bytes() == CONTENT
    assert why(places, tmp_path, f"{URI}@nowhere") == "no_revision"


def test_a_small_file_comes_from_the_hub_itself(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT}, linked=False)
    assert deliver(serve(hub), tmp_path).path.read_bytes() == CONTENT


def test_another_file_is_noticed_before_a_byte_of_it_is_fetched(
    serve: Serve, tmp_path: Path
) -> None:
    hub = Hub({FILE: CONTENT})
    places = serve(hub)
    assert why(places, tmp_path, expected=sha256(b"other")) == "other_bytes"
    assert why(places, tmp_path, size_bytes=5) == "wrong_size"
    assert hub.store.asked == []


def test_a_gated_file_names_the_page_and_the_variable(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: CONTENT}, token=SECRET)
    places = serve(hub)
    with pytest.raises(SourceFailed) as caught:
        deliver(places, tmp_path)
    for language in ("en", "es", "ru"):
        said = caught.value.message(language)
        assert f"{places.hub}/someone/some-model-GGUF" in said
        assert "MY_TOKEN" in said
        assert "weights.hf_token_env" in said


def test_a_gated_model_that_is_pulled_says_the_same(serve: Serve, tmp_path: Path) -> None:
    places = serve(Hub({FILE: CONTENT}, token=SECRET))
    weights = Weights(tmp_path / "weights", Store(tmp_path / "lumbre.db"))
    with pytest.raises(NoSourceDelivered) as caught:
        pull(
            *(manifest(CONTENT, URI), weights),
            home=tmp_path,
            report=lambda _: None,
            language="es",
            patience=QUICK,
            places=places,
        )
    assert "MY_TOKEN" in caught.value.message("es")


def test_a_model_is_pulled_and_lies_in_its_place(serve: Serve, tmp_path: Path) -> None:
    weights = Weights(tmp_path / "weights", Store(tmp_path / "lumbre.db"))
    wanted = manifest(CONTENT, URI)
    pull(wanted, weights, home=tmp_path, report=lambda _: None, places=serve(Hub({FILE: CONTENT})))
    assert weights.state(wanted) == "present"
    assert weights.path(wanted, wanted.files[0]).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "token_refused"),
        (403, {}, "token_refused"),
        (403, {"X-Error-Code": "GatedRepo"}, "gated"),
        (401, {"X-Error-Code": "RepoNotFound"}, "no_repository"),
        (404, {"X-Error-Code": "EntryNotFound"}, "not_there"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no_revision"),
        (500, {}, "status"),
        (429, {"Retry-After": "3600"}, "busy"),
    ],
)
def test_a_refusal_is_named(
    serve: Serve, tmp_path: Path, status: int, headers: dict[str, str], reason: str
) -> None:
    hub = Hub({FILE: CONTENT}, statuses=[(status, headers)] * 9)
    assert why(serve(hub, SECRET), tmp_path) == reason
    assert len(hub.asked) == 1


def test_who_wants_the_hubs_programs_offline_is_heard(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub({FILE: CONTENT})
    places = serve(hub)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert why(places, tmp_path) == "no_connection"
    assert hub.asked == []


@pytest.mark.parametrize("later", ["0", "Fri, 20 Nov 2020 10:00:00 GMT", "nonsense"])
def test_a_busy_hub_is_asked_again_when_it_wants(
    serve: Serve, tmp_path: Path, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumbre.registry.sources._web._UNSAID_WAIT_S", 0.0)
    busy = (429, {"Retry-After": later})
    hub = Hub({FILE: CONTENT}, statuses=[busy, (0, {}), busy])
    assert deliver(serve(hub), tmp_path).path.read_bytes() == CONTENT
    hub.statuses = [busy] * 99
    Partial(tmp_path / "model.gguf").discard()
    places = serve(hub)
    assert why(places, tmp_path) == "busy"


@pytest.mark.parametrize(
    "where", ["http://192.0.2.1/x", "http://example.org/x", "ftp://127.0.0.1/x"]
)
def test_the_other_host_has_to_be_one_that_may_be_asked(
    serve: Serve, tmp_path: Path, where: str
) -> None:
    hub = Hub({FILE: CONTENT}, moved_to=where)
    assert why(serve(hub), tmp_path) in ("redirected", "status")


def test_a_hub_beyond_this_machine_has_to_speak_https(tmp_path: Path) -> None:
    assert why(Places(hub="http://192.0.2.1"), tmp_path) == "not_https"


def test_a_hub_that_is_not_there_is_said(serve: Serve, tmp_path: Path) -> None:
    assert why(Places(hub="http://127.0.0.1:9"), tmp_path) == "no_connection"


@pytest.mark.parametrize(
    "uri",
    ["hf:", "hf:gpt2", "hf:a/b", "hf:a/b/", "hf:a/../c", "hf:a/b/../../c", "hf:a/b//c", "hf:a/b@"],
)
def test_an_address_that_names_no_file_is_refused(tmp_path: Path, uri: str) -> None:
    assert why(Places(hub="http://127.0.0.1:9"), tmp_path, uri) == "bad_uri"


def test_a_repository_tells_its_files_license_and_terms(serve: Serve) -> None:
    hub = Hub({FILE: CONTENT, "README.md": b"#"}, gated="manual", license="llama3.2")
    found = repository_of(address("hf:someone/some-model-GGUF"), serve(hub), QUICK)
    assert (found.license, found.gated, found.revision) == ("llama3.2", True, COMMIT)
    assert [(file.name, file.size_bytes) for file in found.files] == [
        (FILE, len(CONTENT)),
        ("README.md", 1),
    ]
    assert found.files[0].sha256 == sha256(CONTENT)


@pytest.mark.parametrize(
    "info", [b"<html>", [1], {"siblings": 7}, {"id": "x", "siblings": [{"size": "large"}]}]
)
def test_a_description_that_is_none_is_said(serve: Serve, info: object) -> None:
    places = serve(Hub({}, info=info))
    with pytest.raises(SourceFailed) as caught:
        repository_of(address("hf:someone/some-model-GGUF"), places, QUICK)
    assert reason_of(caught.value).code == "garbled"
