"""The registry tells what the files of its folder say now, and one bad file spoils no other."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from lumbre.core import errors
from lumbre.registry.folder import Registry

SHA = "ab" * 32
CAPABILITY = {"embedding": "embed", "rerank": "rerank", "stt": "stt"}


def put(folder: Path, model_id: str, role: str = "secondary", **more: Any) -> Path:
    """A manifest's file; `name` is its file's, where that differs from the id."""
    name = str(more.pop("name", f"{model_id}.yaml"))
    fields: dict[str, Any] = {
        "id": model_id,
        "family": "test",
        "role": role,
        "format": "gguf",
        "path": f"{model_id}.gguf",
        "quant": "Q4_0",
        "context_length": 1024,
        "checksum_sha256": SHA,
        "capabilities": [CAPABILITY.get(role, "chat")],
        "revision": "1",
    }
    path = folder / name
    path.write_text(yaml.safe_dump(fields | more))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "registry"
    folder.mkdir()
    return folder


def ids(models: Any) -> list[str]:
    return [model.id for model in models]


def test_nothing_is_read_before_the_first_question(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    (tmp_path / "registry").mkdir()
    put(tmp_path / "registry", "late")
    assert ids(registry.models()) == ["late"]


def test_models_come_by_role_and_then_by_id(folder: Path) -> None:
    for model_id, role in [("e", "embedding"), ("b", "micro"), ("a", "micro"), ("z", "primary")]:
        put(folder, model_id, role)
    assert ids(Registry(folder).models()) == ["z", "a", "b", "e"]


def test_only_manifests_are_read(folder: Path) -> None:
    put(folder, "a")
    put(folder, "b", name="b.yml")
    (folder / "notes.txt").write_text("not a manifest")
    (folder / ".half.yaml").write_text("not finished")
    assert ids(Registry(folder).models()) == ["a", "b"]


def test_a_change_to_a_file_is_seen_and_no_other_file_is_read_again(folder: Path) -> None:
    put(folder, "a", revision="old")
    put(folder, "b")
    registry = Registry(folder)
    first = registry.models()
    changed = put(folder, "a", revision="new")
    os.utime(changed, ns=(1, 1))
    second = registry.models()
    assert second[0].revision == "new"
    assert second[1] is first[1]
    assert registry.models()[0] is second[0]


def test_files_that_come_and_go_are_seen(folder: Path) -> None:
    registry = Registry(folder)
    assert registry.models() == ()
    path = put(folder, "a")
    assert ids(registry.models()) == ["a"]
    path.unlink()
    assert registry.models() == ()


def test_a_model_is_replaced_by_changing_its_manifest(folder: Path) -> None:
    registry = Registry(folder)
    put(folder, "old", "primary", name="talker.yaml")
    assert registry.primary().id == "old"
    put(folder, "newer", "primary", name="talker.yaml")
    assert registry.primary().id == "newer"


def test_a_model_is_found_by_id_role_capability_or_all(folder: Path) -> None:
    put(folder, "a", "primary")
    put(folder, "b", "micro", capabilities=["chat", "code"])
    put(folder, "e", "embedding")
    registry = Registry(folder)
    assert ids(registry.find("b")) == ["b"]
    assert ids(registry.find("embedding")) == ["e"]
    assert ids(registry.find("chat")) == ["a", "b"]
    assert ids(registry.find("code")) == ["b"]
    assert ids(registry.find("all")) == ["a", "b", "e"]


def test_an_id_goes_before_a_role_of_the_same_name(folder: Path) -> None:
    put(folder, "micro", "secondary")
    put(folder, "b", "micro")
    assert ids(Registry(folder).find("micro")) == ["micro"]


def test_a_model_nobody_knows_is_answered_with_the_nearest(folder: Path) -> None:
    put(folder, "qwen2.5-coder-1.5b")
    put(folder, "smollm2-135m")
    registry = Registry(folder)
    with pytest.raises(errors.UnknownModel) as caught:
        registry.get("qwen-coder-1.5b")
    assert caught.value.facts["known"] == ["qwen2.5-coder-1.5b"]
    with pytest.raises(errors.UnknownModel) as caught:
        registry.find("embedd")
    assert "embed" in str(caught.value.hint())
    with pytest.raises(errors.UnknownModel) as caught:
        registry.find("0000")
    assert caught.value.facts["known"] == ["qwen2.5-coder-1.5b", "smollm2-135m"]


def test_a_role_nobody_has_is_unknown_to_find_and_empty_to_ask_for(folder: Path) -> None:
    put(folder, "a")
    registry = Registry(folder)
    assert registry.for_role("stt") == ()
    with pytest.raises(errors.UnknownModel):
        registry.find("stt")


def test_no_folder_is_a_folder_without_models(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "nowhere")
    assert registry.models() == ()
    with pytest.raises(errors.NoPrimary):
        registry.primary()
    with pytest.raises(errors.UnknownModel) as caught:
        registry.get("a")
    assert caught.value.hint()


def test_a_file_for_a_folder_is_named(tmp_path: Path) -> None:
    place = tmp_path / "registry"
    place.write_text("not a folder")
    with pytest.raises(errors.ManifestUnreadable) as caught:
        Registry(place).models()
    assert caught.value.facts["path"] == place


def test_the_only_primary_speaks(folder: Path) -> None:
    put(folder, "a", "primary")
    put(folder, "b")
    assert Registry(folder).primary().id == "a"


def test_a_household_has_one_primary(folder: Path) -> None:
    put(folder, "b", "micro")
    registry = Registry(folder)
    with pytest.raises(errors.NoPrimary) as none:
        registry.primary()
    assert none.value.facts["path"] == folder
    put(folder, "x", "primary")
    put(folder, "y", "primary")
    with pytest.raises(errors.SeveralPrimaries) as several:
        registry.primary()
    assert several.value.facts["ids"] == ["x", "y"]


def test_the_config_decides_whatever_the_roles_say(folder: Path) -> None:
    put(folder, "x", "primary")
    put(folder, "y", "primary")
    put(folder, "small", "micro", load="on_demand", idle_unload_seconds=60)
    registry = Registry(folder)
    primary = registry.primary("small")
    assert (primary.id, primary.role, primary.loads) == ("small", "primary", "eager")
    assert primary.idle_unload_seconds is None
    roles = {model.id: model.role for model in registry.in_effect("small")}
    assert roles == {"small": "primary", "x": "secondary", "y": "secondary"}
    assert registry.in_effect() == registry.models()


def test_the_config_cannot_choose_what_does_not_talk_or_is_not_there(folder: Path) -> None:
    put(folder, "e", "embedding")
    with pytest.raises(errors.CannotDo):
        Registry(folder).primary("e")
    with pytest.raises(errors.UnknownModel):
        Registry(folder).primary("nobody")


def test_two_models_of_one_name_are_refused_with_both_files(folder: Path) -> None:
    one, other = put(folder, "a", name="one.yaml"), put(folder, "a", name="other.yaml")
    put(folder, "b", "primary")
    registry = Registry(folder)
    for ask in (registry.models, lambda: registry.get("a"), lambda: registry.find("all")):
        with pytest.raises(errors.DuplicateId) as caught:
            ask()
        assert caught.value.facts == {"path": one, "id": "a", "other": other}
    assert registry.primary().id == "b"


def test_a_bad_manifest_is_named_and_the_others_still_serve(folder: Path) -> None:
    put(folder, "good", "primary")
    bad = put(folder, "bad", context_length="long")
    registry = Registry(folder)
    assert registry.primary().id == "good"
    assert ids(registry.usable()) == ["good"]
    assert ids(registry.find("chat")) == ["good"]
    [error] = registry.broken()
    assert isinstance(error, errors.ManifestWrongType)
    for ask in (registry.models, lambda: registry.get("bad"), lambda: registry.find("all")):
        with pytest.raises(errors.ManifestWrongType) as caught:
            ask()
        assert caught.value.facts["path"] == bad


def test_where_nothing_else_answers_the_bad_manifest_is_the_answer(folder: Path) -> None:
    put(folder, "p", "primary", load="on_demand")
    registry = Registry(folder)
    with pytest.raises(errors.PrimaryOnDemand):
        registry.primary()
    with pytest.raises(errors.PrimaryOnDemand):
        registry.find("chat")
    with pytest.raises(errors.PrimaryOnDemand):
        registry.for_role("primary")
    with pytest.raises(errors.UnknownModel):
        registry.get("quite another")


def test_a_bad_manifest_that_is_corrected_serves_again(folder: Path) -> None:
    put(folder, "a", "primary", quant=7)
    registry = Registry(folder)
    with pytest.raises(errors.ManifestWrongType):
        registry.models()
    put(folder, "a", "primary")
    assert ids(registry.models()) == ["a"]


def test_a_link_to_nothing_is_a_bad_manifest(folder: Path) -> None:
    (folder / "gone.yaml").symlink_to(folder / "nowhere")
    with pytest.raises(errors.ManifestUnreadable) as caught:
        Registry(folder).models()
    assert caught.value.facts["path"] == folder / "gone.yaml"


def test_the_file_of_a_model_is_known(folder: Path) -> None:
    path = put(folder, "a", name="something-else.yaml")
    assert Registry(folder).path_of("a") == path
