"""What other programs keep becomes models without a byte copied, and nothing is passed over."""

import json
import os
from pathlib import Path

import pytest

from lumbre.core.model import Manifest
from lumbre.registry.add import write
from lumbre.registry.folder import Registry
from lumbre.registry.manifest import load_manifest
from lumbre.registry.scan import Place, Whereabouts, look, places
from lumbre.registry.scan.survey import Known, Row, manifest_for, survey
from lumbre.registry.weights import Weights, sha256_of
from lumbre.store import Store
from tests.registry.places import sha256
from tests.registry.stores import blob, eyes, hub, ollama, plain, talker

TALKER = talker()
OTHER = talker("Other Talker 2M")


def rows_of(*folders: Path, known: Known | None = None) -> list[Row]:
    finds = (item for folder in folders for item in look(Place("folder", folder)))
    return list(survey(finds, known or Known()))


def reason(row: Row) -> str:
    assert row.trouble is not None
    assert row.model is None
    return row.trouble.key.removeprefix("models.trouble.")


def manifest(row: Row, taken: tuple[str, ...] = ()) -> Manifest:
    return manifest_for(row, taken, sha256_of)


def unread(_: Path) -> str:
    raise AssertionError("no file is read to its end where its store names its checksum")


def test_an_ollama_model_is_its_blob_with_the_name_and_license_ollama_gave_it(
    tmp_path: Path,
) -> None:
    parts = [("model", TALKER), ("license", b"\n  Apache License\nVersion 2"), ("params", b"{}")]
    ollama(tmp_path, parts)
    [row] = rows_of(tmp_path)
    assert (row.found.kind, row.found.name, row.is_new) == ("ollama", "tiny:1m", True)
    found = manifest_for(row, (), unread)
    assert (found.id, found.license) == ("tiny-1m", "Apache License")
    assert found.checksum_sha256 == sha256(TALKER)
    assert found.path == str(tmp_path / "blobs" / f"sha256-{sha256(TALKER)}")
    assert load_manifest(write(tmp_path / "registry", found)) == found


@pytest.mark.parametrize(
    ("place", "name", "model_id"),
    [
        ("registry.ollama.ai/library/tiny/latest", "tiny:latest", "tiny"),
        ("registry.ollama.ai/me/tiny/1m", "me/tiny:1m", "tiny-1m"),
        ("hf.co/someone/Some-GGUF/Q4_K_M", "hf.co/someone/Some-GGUF:Q4_K_M", "some-gguf-q4_k_m"),
    ],
)
def test_an_ollama_name_is_shown_as_ollama_writes_it(
    tmp_path: Path, place: str, name: str, model_id: str
) -> None:
    ollama(tmp_path, [("model", TALKER)], place)
    [row] = rows_of(tmp_path)
    assert (row.found.name, manifest(row).id) == (name, model_id)


def test_what_an_ollama_model_sees_with_comes_along(tmp_path: Path) -> None:
    ollama(tmp_path, [("model", TALKER), ("projector", eyes())])
    [row] = rows_of(tmp_path)
    found = manifest_for(row, (), unread)
    assert [file.part for file in found.files] == ["weights", "projector"]
    assert found.files[1].sha256 == sha256(eyes())


def test_an_ollama_store_that_is_not_in_order_says_what_is_wrong(tmp_path: Path) -> None:
    gone = [("model", OTHER)]
    ollama(tmp_path, gone, "registry.ollama.ai/library/gone/1m")
    blob(tmp_path, OTHER).unlink()
    cut = talker("Cut")
    ollama(tmp_path, [("model", cut)], "registry.ollama.ai/library/cut/1m")
    blob(tmp_path, cut).write_bytes(cut[:-1])
    ollama(tmp_path, [("tensor", b"x")], "registry.ollama.ai/library/mlx/1m")
    bad = ollama(tmp_path, [("model", TALKER)], "registry.ollama.ai/library/bad/1m")
    bad.write_text("[" * 100_000)
    lost = blob(tmp_path, talker("Lost"))
    lost.with_name(f"sha256-{'a' * 64}-partial").write_bytes(b"x")
    lost.with_name(f"sha256-{'a' * 64}-partial-0").write_bytes(b"x")
    lost.with_name("sha256-text").write_bytes(b"a license")
    troubles = sorted(reason(row) for row in rows_of(tmp_path))
    assert troubles == [
        *("bad_store_manifest", "blob_cut", "blob_missing", "coming"),
        *("left_over", "left_over", "no_gguf"),
    ]


def test_a_hub_file_keeps_its_name_and_the_sum_its_blob_has(tmp_path: Path) -> None:
    link = hub(tmp_path, "Tiny-Talker.Q4_K_M.gguf", TALKER)
    hub(tmp_path, "README.md", b"#", name="a" * 40)
    [row] = rows_of(tmp_path)
    assert row.found.name == "someone/some-model/Tiny-Talker.Q4_K_M.gguf"
    found = manifest_for(row, (), unread)
    assert (found.id, found.path) == ("tiny-talker-q4_k_m", str(link))


def test_a_hub_file_of_two_revisions_is_shown_once_and_a_changed_one_twice(tmp_path: Path) -> None:
    hub(tmp_path, "same.gguf", TALKER)
    hub(tmp_path, "same.gguf", TALKER, commit="f" * 40)
    hub(tmp_path, "changed.gguf", OTHER)
    hub(tmp_path, "changed.gguf", talker("Older"), commit="f" * 40)
    assert [row.found.name.removeprefix("someone/some-model/") for row in rows_of(tmp_path)] == [
        *("changed.gguf", "same.gguf", "changed.gguf@fffffff"),
    ]


def test_a_small_hub_file_has_no_sum_of_its_name(tmp_path: Path) -> None:
    hub(tmp_path, "small.gguf", TALKER, name="b" * 40)
    [row] = rows_of(tmp_path)
    assert row.found.sha256 is None
    assert manifest(row).checksum_sha256 == sha256(TALKER)


def test_a_hub_cache_that_is_not_in_order_says_what_is_wrong(tmp_path: Path) -> None:
    link = hub(tmp_path, "gone.gguf", TALKER, "a/gone")
    link.resolve().unlink()
    hub(tmp_path, "model.safetensors", b"x", "a/other-format")
    hub(tmp_path, "part-00001-of-00003.gguf", TALKER, "a/split")
    hub(tmp_path, "part-00002-of-00003.gguf", OTHER, "a/split")
    plain(tmp_path / "models--a--coming" / "blobs", f"{'c' * 64}.incomplete", b"x")
    told = {row.found.name.split("/")[1]: reason(row) for row in rows_of(tmp_path)}
    assert told == {
        "gone": "blob_missing",
        "other-format": "safetensors",
        "split": "split",
        "coming": "coming",
    }


def test_plain_folders_are_searched_to_their_ends(tmp_path: Path) -> None:
    plain(tmp_path, "publisher/some-repo/Some-Model-Q4_K_M.gguf", TALKER)
    plain(tmp_path, "jans/nice-model/model.gguf", OTHER)
    plain(tmp_path, "publisher/some-repo/README.md", b"#")
    assert [(row.found.name, manifest(row).id) for row in rows_of(tmp_path)] == [
        ("jans/nice-model/model.gguf", "nice-model"),
        ("publisher/some-repo/Some-Model-Q4_K_M.gguf", "some-model-q4_k_m"),
    ]


def test_what_plain_folders_hold_beside_models_says_why_it_is_none(tmp_path: Path) -> None:
    plain(tmp_path, "cut.gguf", TALKER[:-1])
    plain(tmp_path, "text.gguf", b"not at all")
    plain(tmp_path, "base.gguf", talker("Base", tokenizer__chat_template=None))
    plain(tmp_path, "pieces.gguf", talker("Pieces", split__count=4))
    plain(tmp_path, "eyes-mmproj.gguf", eyes())
    plain(tmp_path, "a.gguf.downloadInProgress", b"x")
    plain(tmp_path, "b.gguf.part", b"x")
    plain(tmp_path, "mlx/model.safetensors", b"x")
    (tmp_path / "broken.gguf").symlink_to("nothing")
    told = {row.found.name: reason(row) for row in rows_of(tmp_path)}
    assert told == {
        "cut.gguf": "gguf.cut_off",
        "text.gguf": "gguf.other_magic",
        "base.gguf": "no_template",
        "pieces.gguf": "split",
        "eyes-mmproj.gguf": "models.projector",
        "a.gguf.downloadInProgress": "coming",
        "b.gguf.part": "coming",
        "mlx": "safetensors",
        "broken.gguf": "gguf.unreadable",
    }


def test_links_in_a_circle_and_folders_named_twice_end(tmp_path: Path) -> None:
    plain(tmp_path, "a/b/tiny.gguf", TALKER)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert [row.found.name for row in rows_of(tmp_path)] == ["a/b/tiny.gguf"]


def test_a_folder_on_another_disk_is_followed_by_its_link(tmp_path: Path) -> None:
    plain(tmp_path / "disk", "publisher/repo/tiny.gguf", TALKER)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "publisher").symlink_to(tmp_path / "disk" / "publisher")
    assert [row.found.name for row in rows_of(tmp_path / "here")] == ["publisher/repo/tiny.gguf"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0)
    try:
        assert [(row.found.path, reason(row)) for row in rows_of(tmp_path)] == [
            (shut, "unreadable")
        ]
    finally:
        shut.chmod(0o700)


def test_a_folder_that_goes_away_is_named(tmp_path: Path) -> None:
    assert [reason(row) for row in rows_of(tmp_path / "nothing")] == ["unreadable"]


def test_ten_thousand_files_are_looked_through(tmp_path: Path) -> None:
    first = plain(tmp_path, "0000/tiny-0.gguf", TALKER)
    for number in range(1, 10_000):
        path = tmp_path / f"{number % 50:04d}" / f"tiny-{number}.gguf"
        path.parent.mkdir(exist_ok=True)
        os.link(first, path)
    [row] = rows_of(tmp_path)
    assert len(row.also) == 9_999


def test_the_same_bytes_in_two_stores_are_one_model_with_two_places(tmp_path: Path) -> None:
    ollama(tmp_path / "ollama", [("model", TALKER)])
    link = hub(tmp_path / "hub", "Tiny.gguf", TALKER)
    [row] = rows_of(tmp_path / "ollama", tmp_path / "hub")
    assert [other.path for other in row.also] == [link]
    assert [source.uri for source in manifest_for(row, (), unread).sources] == [
        row.found.path.as_uri(),
        link.as_uri(),
    ]


def test_what_is_a_model_already_is_known_by_its_sum_and_by_its_place(tmp_path: Path) -> None:
    path = plain(tmp_path / "lm", "publisher/repo/tiny.gguf", TALKER)
    [row] = rows_of(tmp_path / "lm")
    first = manifest(row)
    weights = Weights(tmp_path / "weights", Store(tmp_path / "lumbre.db"))
    known = Known.of([(first, weights.path(first, first.files[0]))])
    assert [row.known for row in rows_of(tmp_path / "lm", known=known)] == [first.id]
    ollama(tmp_path / "ollama", [("model", TALKER)])
    assert [row.known for row in rows_of(tmp_path / "ollama", known=known)] == [first.id]
    assert weights.state(first) == "present"
    assert path.read_bytes() == TALKER


def test_an_id_that_is_taken_is_made_another(tmp_path: Path) -> None:
    ollama(tmp_path, [("model", TALKER)])
    [row] = rows_of(tmp_path)
    assert manifest(row, ("tiny-1m",)).id == "tiny-1m-q4_k_m"
    assert manifest(row, ("tiny-1m", "tiny-1m-q4_k_m")).id == "tiny-1m-2"


def test_a_sum_a_store_lies_about_is_found_out_at_first_use(tmp_path: Path) -> None:
    ollama(tmp_path, [("model", TALKER)])
    path = tmp_path / "blobs" / f"sha256-{sha256(TALKER)}"
    path.write_bytes(TALKER[:-1] + b"\x01")
    [row] = rows_of(tmp_path)
    found = manifest_for(row, (), unread)
    weights = Weights(tmp_path / "weights", Store(tmp_path / "lumbre.db"))
    from lumbre.core.errors import WrongChecksum

    with pytest.raises(WrongChecksum):
        weights.files_for_use(found)


def test_each_program_is_looked_for_where_it_says_it_keeps_weights(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "shared"
    wanted = [
        (".ollama/models", "ollama"),
        (".cache/huggingface/hub", "hub"),
        (".lmstudio/models", "lm_studio"),
        (".cache/lm-studio/models", "lm_studio"),
        (".cache/llama.cpp", "llama_cpp"),
        (".local/share/nomic.ai/GPT4All", "gpt4all"),
        (".local/share/Jan/data/llamacpp/models", "jan"),
    ]
    for folder, _ in wanted:
        (home / folder).mkdir(parents=True)
    shared.mkdir()
    found = {(place.kind, place.folder) for place in places(Whereabouts(home, {}, shared))}
    assert found == {(kind, home / folder) for folder, kind in wanted} | {("ollama", shared)}


def test_variables_of_those_programs_are_heard(tmp_path: Path) -> None:
    named = {
        "OLLAMA_MODELS": "one",
        "HF_HUB_CACHE": "two",
        "LLAMA_CACHE": "three",
    }
    (tmp_path / "pointed" / "models").mkdir(parents=True)
    (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'pointed'}\n")
    for folder in named.values():
        (tmp_path / folder).mkdir()
    environment = {name: str(tmp_path / folder) for name, folder in named.items()}
    found = places(Whereabouts(tmp_path, environment, tmp_path / "none"))
    assert {place.folder.name for place in found} == {"one", "two", "three", "models"}
    (tmp_path / "hf" / "hub").mkdir(parents=True)
    [place] = places(
        Whereabouts(tmp_path / "none", {"HF_HOME": str(tmp_path / "hf")}, tmp_path / "none")
    )
    assert (place.kind, place.folder) == ("hub", tmp_path / "hf" / "hub")


def test_llama_cpp_keeps_its_weights_as_plain_files_or_as_the_hub_does(tmp_path: Path) -> None:
    plain(tmp_path / "old", "someone_repo_tiny-q4_k_m.gguf", TALKER)
    plain(tmp_path / "old", "someone_repo_tiny-q4_k_m.gguf.etag", b'"x"')
    plain(tmp_path / "old", "manifest=someone=repo=latest.json", b"{}")
    hub(tmp_path / "new", "tiny.gguf", OTHER)
    finds = [item for name in ("old", "new") for item in look(Place("llama_cpp", tmp_path / name))]
    assert [(item.kind, item.name) for item in finds] == [
        ("llama_cpp", "someone_repo_tiny-q4_k_m.gguf"),
        ("llama_cpp", "someone/some-model/tiny.gguf"),
    ]


def test_a_real_ollama_store_is_read(tmp_path: Path) -> None:
    """LUMBRE_TEST_OLLAMA names the `models` folder of one, with a model in it."""
    folder = os.environ.get("LUMBRE_TEST_OLLAMA")
    if not folder:
        pytest.skip("LUMBRE_TEST_OLLAMA names no real store here")
    rows = rows_of(Path(folder))
    assert rows
    assert {row.found.kind for row in rows} == {"ollama"}
    for row in rows:
        if row.model is not None:
            found = manifest_for(row, (), unread)
            assert sha256_of(Path(str(found.path))) == found.checksum_sha256
            write(tmp_path / "registry", found)
    assert Registry(tmp_path / "registry").models()


def test_the_manifest_a_store_has_is_never_changed(tmp_path: Path) -> None:
    path = ollama(tmp_path / "store", [("model", TALKER)])
    before = {file: file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file()}
    [row] = rows_of(tmp_path / "store")
    write(tmp_path / "registry", manifest(row))
    after = {file: file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file()}
    assert before == after
    assert json.loads(path.read_text())["schemaVersion"] == 2
