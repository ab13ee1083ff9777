"""A model that lies with its publisher is told by its header alone, and pulled as it was told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lumbre.core import errors
from lumbre.core.model import Manifest
from lumbre.registry.add import write
from lumbre.registry.fetch import pull
from lumbre.registry.manifest import load_manifest
from lumbre.registry.offered import address_of, choices, offered, places_taken
from lumbre.registry.sources import Patience, Places
from lumbre.registry.sources._distant import Distant
from lumbre.registry.sources._web import Ask
from lumbre.registry.weights import Weights
from lumbre.store import Store
from lumbre.words import LANGUAGES
from tests.registry.hubs import COMMIT, Hub, Library, hub_of, library_of
from tests.registry.places import Site, plain_website, sha256, some_bytes
from tests.registry.stores import eyes, talker

QUICK = Patience(connect_s=5.0, stall_s=5.0, attempts=3, pause_s=0.0)
TALKER = talker()
FILE = "Tiny-Talker.Q4_K_M.gguf"
URI = f"hf:someone/some-model-GGUF/{FILE}"
Serve = Callable[..., Places]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ExitStack() as stack:

        def places(at: Hub | Library, token: str = "") -> Places:
            if isinstance(at, Library):
                return Places(ollama=stack.enter_context(library_of(at)))
            return Places(hub=stack.enter_context(hub_of(at)), hub_token=token)

        yield places


def manifest(uri: str, places: Places, **settings: object) -> Manifest:
    return offered(uri, None, QUICK, places, **settings).manifest  # type: ignore[arg-type]


def arrives(model: Manifest, places: Places, folder: Path) -> dict[str, bytes]:
    """What a pull of a manifest that was written and read brings."""
    model = load_manifest(write(folder / "registry", model))
    weights = Weights(folder / "weights", Store(folder / "lumbre.db"))
    pull(model, weights, home=folder, report=lambda _: None, patience=QUICK, places=places)
    return {file.part: weights.path(model, file).read_bytes() for file in model.weights}


def test_a_hub_file_becomes_a_manifest_that_a_pull_keeps_to(serve: Serve, tmp_path: Path) -> None:
    hub = Hub({FILE: TALKER, "other.gguf": b"x"})
    places = serve(hub)
    model = manifest(URI, places)
    assert (model.id, model.quant, model.license) == ("tiny-talker-q4_k_m", "Q4_K_M", "apache-2.0")
    assert (model.revision, model.checksum_sha256) == (COMMIT, sha256(TALKER))
    assert model.path == f"someone/some-model-GGUF/{FILE}"
    assert [source.uri for source in model.sources] == [f"{URI}@{COMMIT}"]
    assert arrives(model, places, tmp_path) == {"weights": TALKER}


def test_only_the_header_of_a_large_file_is_read(serve: Serve) -> None:
    content = TALKER + some_bytes(20 << 20)
    hub = Hub({FILE: content})
    model = manifest(URI, serve(hub))
    assert model.files[0].size_bytes == len(content)
    assert hub.store.sent_bytes < 2 << 20


def test_an_ollama_model_becomes_a_manifest_with_all_its_parts(
    serve: Serve, tmp_path: Path
) -> None:
    parts = [("model", TALKER), ("projector", eyes()), ("license", b"\nMIT License\nmore")]
    places = serve(Library(parts))
    model = manifest("ollama:tiny:1m", places)
    assert (model.id, model.license, model.revision) == ("tiny-1m", "MIT License", "1m")
    assert [source.uri for source in model.sources] == [
        *("ollama:tiny:1m", "ollama:tiny:1m#projector"),
    ]
    assert arrives(model, places, tmp_path) == {"weights": TALKER, "projector": eyes()}


def test_a_projector_is_named_beside_its_model(serve: Serve, tmp_path: Path) -> None:
    places = serve(Hub({FILE: TALKER, "mmproj-F16.gguf": eyes()}))
    model = manifest(URI, places, projector="hf:someone/some-model-GGUF/mmproj-F16.gguf")
    assert arrives(model, places, tmp_path) == {"weights": TALKER, "projector": eyes()}


def test_what_is_no_projector_is_refused_as_one(serve: Serve) -> None:
    places = serve(Hub({FILE: TALKER, "b.gguf": talker("B"), "mmproj.gguf": eyes()}))
    with pytest.raises(errors.WrongPart) as caught:
        manifest(URI, places, projector="hf:someone/some-model-GGUF/b.gguf")
    assert "proyector" in caught.value.message("es")
    with pytest.raises(errors.WrongPart) as caught:
        manifest("hf:someone/some-model-GGUF/mmproj.gguf", places)
    assert "--projector" in caught.value.hint("ru")


def test_an_address_without_a_file_offers_the_models_there(serve: Serve) -> None:
    files = {FILE: TALKER, "README.md": b"#", "mmproj-F16.gguf": eyes(), "q8/b.gguf": b"x"}
    files |= {"big-00001-of-00002.gguf": b"x", "big-00002-of-00002.gguf": b"x"}
    places = serve(Hub(files))
    found = choices("hf:someone/some-model-GGUF", QUICK, places)
    assert [(file.name, file.size_bytes) for file in found] == [
        (FILE, len(TALKER)),
        ("q8/b.gguf", 1),
    ]
    assert choices(URI, QUICK, places) == ()
    assert choices("ollama:tiny", QUICK, places) == ()


def test_a_repository_without_a_model_that_is_one_file_says_so(serve: Serve) -> None:
    places = serve(Hub({"big-00001-of-00002.gguf": b"x", "big-00002-of-00002.gguf": b"x"}))
    with pytest.raises(errors.SplitWeights) as caught:
        choices("hf:someone/some-model-GGUF", QUICK, places)
    assert caught.value.facts["pieces"] == 2
    with pytest.raises(errors.SplitWeights):
        manifest("hf:someone/some-model-GGUF/big-00001-of-00002.gguf", places)
    with pytest.raises(errors.NotOffered):
        choices("hf:someone/some-model-GGUF", QUICK, serve(Hub({"model.safetensors": b"x"})))


def test_terms_that_have_to_be_accepted_are_told(serve: Serve) -> None:
    hub = Hub({FILE: TALKER}, token="abc", gated="manual")
    places = serve(hub)
    with pytest.raises(errors.NotOffered) as caught:
        manifest(URI, places)
    for language in LANGUAGES:
        assert f"{places.hub}/someone/some-model-GGUF" in caught.value.message(language)
    places = serve(hub, "abc")
    assert offered(URI, None, QUICK, places).terms == f"{places.hub}/someone/some-model-GGUF"


@pytest.mark.parametrize(
    "uri",
    [
        "hf:someone/some-model-GGUF/nothing.gguf",
        "hf:someone/nobody/x.gguf",
        f"{URI}@nowhere",
        "hf:gpt2",
        "hf:a/../b",
    ],
)
def test_what_the_hub_does_not_have_is_the_persons_to_change(serve: Serve, uri: str) -> None:
    with pytest.raises(errors.NotOffered) as caught:
        manifest(uri, serve(Hub({FILE: TALKER})))
    assert caught.value.message("ru") != caught.value.message("en")


def test_a_file_the_hub_has_no_checksum_of_is_refused(serve: Serve) -> None:
    with pytest.raises(errors.NotOffered):
        manifest(URI, serve(Hub({FILE: TALKER}, linked=False)))


def test_a_hub_that_is_not_there_is_not_the_persons_to_change() -> None:
    with pytest.raises(errors.SourceFailed) as caught:
        manifest(URI, Places(hub="http://127.0.0.1:9"))
    assert "нет соединения" in caught.value.message("ru")


def test_what_cannot_be_used_is_refused_before_it_is_fetched(serve: Serve) -> None:
    silent, cut = talker(tokenizer__chat_template=None), TALKER[: len(TALKER) // 2]
    places = serve(Hub({"silent.gguf": silent, "text.gguf": b"hello there", "cut.gguf": cut}))
    for name, error in (
        ("silent", errors.NoChatTemplate),
        ("text", errors.BadWeights),
        ("cut", errors.BadWeights),
    ):
        with pytest.raises(error):
            manifest(f"hf:someone/some-model-GGUF/{name}.gguf", places)


def test_two_models_never_claim_one_place(serve: Serve) -> None:
    hub = Hub({FILE: TALKER})
    places = serve(hub)
    first = manifest(URI, places)
    assert manifest(URI, places, taken=places_taken([first])).path == first.path
    hub.files[FILE] = talker("Newer")
    newer = manifest(URI, places, taken=places_taken([first]))
    assert newer.path != first.path
    assert str(newer.path).endswith(FILE)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("hf:a/b/c.gguf@main", "hf:a/b/c.gguf@main"),
        ("ollama:x", "ollama:x"),
        ("https://huggingface.co/a/b", "hf:a/b"),
        ("https://huggingface.co/a/b/tree/main", "hf:a/b"),
        ("https://huggingface.co/a/b/blob/main/q%204/c.gguf?download=true", "hf:a/b/q 4/c.gguf"),
        ("https://huggingface.co/a/b/resolve/v1/c.gguf", "hf:a/b/c.gguf@v1"),
        ("https://ollama.com/library/llama3.2:1b", "ollama:llama3.2:1b"),
        ("https://ollama.com/me/mine", "ollama:me/mine"),
        ("./hf.gguf", None),
        ("C:model.gguf", None),
    ],
)
def test_a_page_is_understood_as_its_address(text: str, uri: str | None) -> None:
    assert address_of(text) == uri


def test_a_distant_file_reads_as_one_at_hand() -> None:
    content = some_bytes(3 << 20)
    with plain_website(Site(content)) as url:
        file = Distant(url, Ask(url), len(content), QUICK)
        for at, count in ((0, 10), (10, 300_000), (5, 5), (2 << 20, 1 << 20), (len(content), 9)):
            assert file.read(at, count) == content[at : at + count]
        assert file.read(len(content) - 3, 100) == content[-3:]


def test_a_server_without_ranges_is_read_from_the_beginning() -> None:
    content = some_bytes(1 << 20)
    with plain_website(Site(content, ranges=False)) as url:
        assert Distant(url, Ask(url), len(content), QUICK).read(1000, 50) == content[1000:1050]


def test_a_distant_file_that_is_cut_busy_or_another_is_noticed() -> None:
    content = some_bytes(1 << 20)
    with plain_website(Site(content, cuts=[10, 10])) as url:
        assert Distant(url, Ask(url), len(content), QUICK).read(0, 100) == content[:100]
    with plain_website(Site(content, cuts=[10] * 9)) as url, pytest.raises(errors.SourceFailed):
        Distant(url, Ask(url), len(content), QUICK).read(0, 100)
    with plain_website(Site(content)) as url, pytest.raises(errors.SourceFailed):
        Distant(url, Ask(url), len(content) + 1, QUICK).read(0, 100)
    gone = Site(content, statuses=[404])
    with plain_website(gone) as url, pytest.raises(errors.SourceFailed):
        Distant(url, Ask(url), len(content), QUICK).read(0, 100)
