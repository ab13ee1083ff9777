"""A file becomes a model by its header alone: nothing is copied and nothing is guessed."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core import errors
from lumbre.core.model import CHAT_ROLES, Role
from lumbre.registry.add import manifest_from_file, write
from lumbre.registry.events import Verifying
from lumbre.registry.folder import Registry
from lumbre.registry.household import shipped
from lumbre.registry.manifest import dump_manifest, load_manifest
from lumbre.words import LANGUAGES
from tests.formats.writing import MODEL, Written, gguf


def made(folder: Path, name: str = "tiny-talker-1m-q4_k_m.gguf", **changes: Written | None) -> Path:
    """A GGUF file; a change's `__` stands for a dot, None takes the key away."""
    metadata = dict(MODEL)
    for key, value in changes.items():
        dotted = key.replace("__", ".")
        metadata.pop(dotted, None)
        if value is not None:
            metadata[dotted] = value
    path = folder / name
    path.write_bytes(gguf(metadata))
    return path


def test_a_real_file_becomes_the_model_its_header_tells_of(smollm2: Path) -> None:
    heard: list[Verifying] = []
    manifest = manifest_from_file(smollm2, report=heard.append)
    assert manifest.id == "smollm2-135m-instruct-q4_1"
    assert (manifest.family, manifest.quant, manifest.context_length) == ("llama", "Q4_1", 8192)
    assert (manifest.role, manifest.capabilities) == ("secondary", ("chat",))
    assert manifest.license == "apache-2.0"
    assert manifest.path == str(smollm2)
    [known] = [model for model in shipped("tiny") if model.role == "primary"]
    assert manifest.checksum_sha256 == known.checksum_sha256
    assert manifest.files[0].size_bytes == known.files[0].size_bytes
    assert heard[-1].done_bytes == heard[-1].total_bytes == smollm2.stat().st_size
    assert [event.done_bytes for event in heard] == sorted({e.done_bytes for e in heard})


def test_what_was_made_is_written_read_and_found(tmp_path: Path) -> None:
    path = made(tmp_path)
    manifest = manifest_from_file(path, "primary")
    written = write(tmp_path / "registry", manifest)
    assert load_manifest(written) == manifest
    registry = Registry(tmp_path / "registry")
    assert registry.primary() == registry.get("tiny-talker-1m-q4_k_m")
    assert manifest.checksum_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest.description == "Tiny Talker 1M"


def test_nothing_is_copied(tmp_path: Path) -> None:
    path = made(tmp_path)
    write(tmp_path / "registry", manifest_from_file(path))
    assert [file.name for file in tmp_path.rglob("*.gguf")] == [path.name]


def test_a_path_with_spaces_and_cyrillic_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "мои модели & more"
    folder.mkdir()
    path = made(folder, "Говорун 1М.gguf")
    manifest = manifest_from_file(path)
    assert manifest.id == "говорун-1м"
    assert manifest.path == str(path)
    assert load_manifest(write(tmp_path / "registry", manifest)) == manifest


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert manifest_from_file(Path("..") / path.name).path == str(path)


def test_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    blob = made(tmp_path, f"sha256-{'a' * 64}")
    link = tmp_path / "Nice-Model.Q4_K_M.gguf"
    link.symlink_to(blob)
    manifest = manifest_from_file(link)
    assert (manifest.id, manifest.path) == ("nice-model-q4_k_m", str(link))


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Qwen2.5-7B-Instruct-Q4_K_M.gguf", "qwen2.5-7b-instruct-q4_k_m"),
        ("Qwen2.5-7B-Instruct.Q4_K_M.gguf", "qwen2.5-7b-instruct-q4_k_m"),
        ("my model (1).gguf", "my-model-1"),
        ("--force.gguf", "force"),
        ("..gguf", "tiny-talker-1m-q4_k_m"),
        ("model.gguf", "tiny-talker-1m-q4_k_m"),
        ("ggml-model-q4_k.gguf", "tiny-talker-1m-q4_k_m"),
        (f"sha256-{'0' * 64}", "tiny-talker-1m-q4_k_m"),
        ("***.gguf", "tiny-talker-1m-q4_k_m"),
        ("modeller-2b.gguf", "modeller-2b"),
        ("x" * 200 + ".gguf", "x" * 100),
    ],
)
def test_the_id_is_the_files_name_or_where_that_says_nothing_the_headers(
    tmp_path: Path, name: str, model_id: str
) -> None:
    assert manifest_from_file(made(tmp_path, name)).id == model_id


def test_a_file_that_says_nothing_of_itself_has_an_id_too(tmp_path: Path) -> None:
    path = made(tmp_path, "model.gguf", general__name="\x00\n", general__file_type=7)
    assert manifest_from_file(path).id == "llama-q8_0"


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_any_name_gives_an_id_the_rules_take(
    tmp_path_factory: pytest.TempPathFactory, name: str, said: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    folder.mkdir(exist_ok=True)
    name = name.encode(errors="ignore")[:100].decode(errors="ignore")
    name = name.replace("/", "").replace("\0", "") + ".gguf"
    said = said.encode(errors="ignore").decode()
    path = made(folder, name, general__name=said, general__license=said)
    try:
        manifest = manifest_from_file(path)
        assert load_manifest(write(folder / "registry", manifest)) == manifest
    finally:
        path.unlink()
        shutil.rmtree(folder / "registry", ignore_errors=True)


@pytest.mark.parametrize("role", [None, *CHAT_ROLES, "classifier", "router"])
def test_weights_without_a_template_are_not_asked_to_talk(
    tmp_path: Path, role: Role | None
) -> None:
    path = made(tmp_path, tokenizer__chat_template=None)
    with pytest.raises(errors.NoChatTemplate) as caught:
        manifest_from_file(path, role)
    assert path.name in caught.value.message("es")
    assert all(caught.value.hint(language) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("role", "capability"), [("classifier", "classify"), ("router", "route"), ("micro", "chat")]
)
def test_what_talks_can_be_asked_to_sort(tmp_path: Path, role: Role, capability: str) -> None:
    assert manifest_from_file(made(tmp_path), role).capabilities == (capability,)


@pytest.mark.parametrize(
    ("changes", "role", "capability"),
    [
        ({"llama.pooling_type": 1}, "embedding", "embed"),
        ({"llama.pooling_type": 3}, "embedding", "embed"),
        ({"llama.attention.causal": False}, "embedding", "embed"),
        ({"llama.pooling_type": 4}, "rerank", "rerank"),
        ({"llama.pooling_type": 0}, "secondary", "chat"),
        ({"llama.attention.causal": True}, "secondary", "chat"),
    ],
)
def test_the_header_says_what_the_weights_were_made_for(
    tmp_path: Path, changes: dict[str, Written], role: str, capability: str
) -> None:
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf(MODEL | changes))
    manifest = manifest_from_file(path)
    assert (manifest.role, manifest.capabilities) == (role, (capability,))
    assert manifest.embedding is (True if role == "embedding" else None)


def test_weights_that_talk_can_be_asked_to_embed(tmp_path: Path) -> None:
    manifest = manifest_from_file(made(tmp_path), "embedding")
    assert manifest.capabilities == ("embed",)


@pytest.mark.parametrize("role", ["stt", "tts", "vad", "ocr", "vision", "rerank"])
def test_weights_that_talk_are_not_asked_to_listen_or_see(tmp_path: Path, role: Role) -> None:
    with pytest.raises(errors.CannotDo):
        manifest_from_file(made(tmp_path), role)


def test_weights_that_embed_are_not_asked_to_talk(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf(MODEL | {"llama.pooling_type": 1}))
    with pytest.raises(errors.CannotDo):
        manifest_from_file(path, "primary")


def test_one_piece_of_several_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.SplitWeights) as caught:
        manifest_from_file(made(tmp_path, split__count=3))
    assert caught.value.facts["pieces"] == 3


def test_a_whole_file_that_counts_its_pieces_is_one(tmp_path: Path) -> None:
    assert manifest_from_file(made(tmp_path, split__count=1)).role == "secondary"


def test_a_damaged_file_is_no_model(tmp_path: Path) -> None:
    path = made(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.BadWeights):
        manifest_from_file(path)
    with pytest.raises(errors.BadWeights):
        manifest_from_file(tmp_path / "nothing.gguf")


def test_a_name_that_is_no_text_is_refused_in_words_that_print(tmp_path: Path) -> None:
    path = made(tmp_path)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    path.rename(odd)
    with pytest.raises(errors.BadWeights) as caught:
        manifest_from_file(odd)
    assert caught.value.message().encode()


def test_an_id_can_be_chosen_and_is_held_to_the_rules(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert manifest_from_file(path, model_id="mine").id == "mine"
    with pytest.raises(errors.ManifestWrongType):
        manifest_from_file(path, model_id="not/mine")


def test_an_id_that_is_taken_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    manifest = manifest_from_file(made(tmp_path))
    first = write(registry, manifest)
    first.rename(registry / "renamed.yaml")
    before = (registry / "renamed.yaml").read_text()
    with pytest.raises(errors.DuplicateId) as caught:
        write(registry, manifest)
    assert caught.value.facts["other"] == registry / "renamed.yaml"
    assert [path.read_text() for path in registry.iterdir()] == [before]


def test_a_file_of_another_model_is_never_written_over(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    path = made(tmp_path)
    taken = write(registry, manifest_from_file(path, model_id="other"))
    name = manifest_from_file(path, model_id="mine")
    taken = taken.rename(registry / "mine.yaml")
    assert write(registry, name).name == "mine2.yaml"
    assert sorted(model.id for model in Registry(registry).models()) == ["mine", "other"]
    assert dump_manifest(load_manifest(taken)) == taken.read_text()


def test_a_large_file_tells_how_far_it_is(tmp_path: Path) -> None:
    path = made(tmp_path)
    with path.open("ab") as file:
        file.write(random.Random(1).randbytes(9 << 20))
    heard: list[Verifying] = []
    manifest_from_file(path, report=heard.append)
    assert len(heard) > 2
    assert {event.path for event in heard} == {path}
