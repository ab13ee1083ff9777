"""The manifests lumbre brings are in order, and writing them never costs a person theirs."""

import hashlib
import importlib.util
from pathlib import Path
from typing import get_args

import pytest

from lumbre.core.errors import HomeNotUsable, ManifestInTheWay
from lumbre.core.model import Manifest
from lumbre.formats.gguf import read_facts
from lumbre.registry import household
from lumbre.registry.folder import Registry
from lumbre.registry.household import Household, shipped, write_household
from lumbre.registry.manifest import dump_manifest, load_manifest
from lumbre.registry.naming import parse_name

HOUSEHOLDS: tuple[Household, ...] = get_args(Household)
FILES = sorted((Path(household.__file__).parent / "starter").glob("*.yaml"))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_manifest_keeps_the_rules_and_is_written_as_we_write_them(path: Path) -> None:
    manifest = load_manifest(path)
    assert path.name == f"{manifest.id}.yaml"
    assert dump_manifest(manifest) == path.read_text()
    assert manifest.license and manifest.description
    assert all(file.size_bytes for file in manifest.files)


def test_every_shipped_manifest_belongs_to_a_household() -> None:
    named = {model.id for name in HOUSEHOLDS for model in shipped(name)}
    assert named == {path.stem for path in FILES}


def by_role(models: tuple[Manifest, ...]) -> dict[str, str]:
    return {model.role: model.id for model in models}


def test_the_starter_household_talks_in_three_sizes_and_embeds() -> None:
    assert by_role(shipped("starter")) == {
        "primary": "qwen2.5-coder-1.5b-instruct-q4_k_m",
        "lightweight": "qwen2.5-coder-0.5b-instruct-q4_k_m",
        "micro": "smollm2-135m-instruct-q4_1",
        "embedding": "use-multilingual-v3",
    }


def test_the_tiny_household_is_the_smallest_that_answers() -> None:
    assert by_role(shipped("tiny")) == {
        "primary": "smollm2-135m-instruct-q4_1",
        "embedding": "use-multilingual-v3",
    }


@pytest.mark.parametrize("name", HOUSEHOLDS)
def test_a_household_written_is_one_the_registry_takes(tmp_path: Path, name: Household) -> None:
    written = write_household(tmp_path / "registry", name)
    registry = Registry(tmp_path / "registry")
    assert {path.stem for path in written} == {model.id for model in registry.models()}
    assert registry.primary().id == by_role(shipped(name))["primary"]
    assert len(registry.for_role("embedding")) == 1


def test_writing_it_again_writes_nothing(tmp_path: Path) -> None:
    write_household(tmp_path, "starter")
    before = contents(tmp_path)
    assert write_household(tmp_path, "starter") == []
    assert contents(tmp_path) == before


def test_a_missing_manifest_comes_back(tmp_path: Path) -> None:
    written = write_household(tmp_path, "starter")
    written[0].unlink()
    assert write_household(tmp_path, "starter") == [written[0]]


@pytest.mark.parametrize(("first", "second"), [HOUSEHOLDS, HOUSEHOLDS[::-1]])
def test_one_household_takes_the_others_place(
    tmp_path: Path, first: Household, second: Household
) -> None:
    write_household(tmp_path, first)
    write_household(tmp_path, second)
    assert by_role(Registry(tmp_path).models()) == by_role(shipped(second))


@pytest.mark.parametrize(("old", "new"), [("Apache-2.0", "mine"), ("id: ", "broken: [")])
def test_a_manifest_its_owner_changed_is_kept(tmp_path: Path, old: str, new: str) -> None:
    write_household(tmp_path, "starter")
    changed = tmp_path / "smollm2-135m-instruct-q4_1.yaml"
    changed.write_text(changed.read_text().replace(old, new))
    before = contents(tmp_path)
    for name in HOUSEHOLDS:
        with pytest.raises(ManifestInTheWay) as caught:
            write_household(tmp_path, name)
        assert caught.value.facts["path"] == changed
        assert f"--household {name} --force" in caught.value.hint()
        assert contents(tmp_path) == before


def test_force_writes_over_what_was_changed(tmp_path: Path) -> None:
    [changed, *_] = write_household(tmp_path, "tiny")
    changed.write_text("mine")
    assert write_household(tmp_path, "tiny", force=True) == [changed]
    assert Registry(tmp_path).primary().id == changed.stem


def test_a_comment_in_a_manifest_is_no_change(tmp_path: Path) -> None:
    [path, *_] = write_household(tmp_path, "starter")
    path.write_text("# the one I like best\n" + path.read_text())
    assert write_household(tmp_path, "starter") == []
    assert path.read_text().startswith("# the one I like best")


def test_a_changed_manifest_of_the_other_household_and_own_models_stay(tmp_path: Path) -> None:
    write_household(tmp_path, "starter")
    changed = tmp_path / "qwen2.5-coder-0.5b-instruct-q4_k_m.yaml"
    changed.write_text(changed.read_text().replace("lightweight", "secondary"))
    own = tmp_path / "own.yaml"
    own.write_text(changed.read_text().replace("id: qwen2.5", "id: own"))
    write_household(tmp_path, "tiny")
    assert changed.exists() and own.exists()
    assert not (tmp_path / "qwen2.5-coder-1.5b-instruct-q4_k_m.yaml").exists()
    assert Registry(tmp_path).primary().id == "smollm2-135m-instruct-q4_1"


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    place = tmp_path / "registry"
    place.write_text("")
    with pytest.raises(HomeNotUsable) as caught:
        write_household(place, "tiny")
    assert caught.value.facts["path"] == place


def test_the_ids_tell_what_they_name() -> None:
    for manifest in shipped("starter"):
        name = parse_name(manifest.id)
        if manifest.format == "gguf":
            assert name.family == manifest.family
            assert name.quant == str(manifest.quant).lower()
            assert (name.size, name.purpose) != (None, None)


def test_the_encoders_files_are_the_installed_packages() -> None:
    [encoder] = [model for model in shipped("tiny") if model.role == "embedding"]
    assert [file.part for file in encoder.weights] == ["weights", "tokenizer"]
    for file in encoder.weights:
        module, _, inside = file.path.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.submodule_search_locations
        data = Path(spec.submodule_search_locations[0], inside).read_bytes()
        assert len(data) == file.size_bytes
        assert hashlib.sha256(data).hexdigest() == file.sha256


@pytest.mark.parametrize("fixture", ["smollm2", "qwen"])
def test_a_manifest_says_what_the_weights_say(fixture: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(fixture)
    facts = read_facts(path)
    [manifest] = [model for model in shipped("starter") if model.path == path.name]
    assert manifest.files[0].size_bytes == facts.file_bytes
    assert manifest.quant == facts.quant
    assert manifest.context_length == facts.context_length
    assert facts.chat_template
