"""A setting comes from the last layer that names it, and always knows which that was."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.config import Config, load
from lumbre.config.load import keys
from lumbre.core.errors import BadConfig, BadConfigFile, HomeNotUsable, UnknownConfigKey


def at(home: Path, **more: str) -> dict[str, str]:
    return {"LUMBRE_HOME": str(home)} | more


def write(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(text, encoding="utf-8")


def why(config: Config, key: str) -> tuple[object, str, str]:
    return next((v, o.layer, o.where) for k, v, o in config.values() if k == key)


def test_each_layer_beats_the_one_before(home: Path) -> None:
    write(home, "# ours\n[pool]\nidle_s = 5\n")
    file = f"{home / 'config.toml'}:3"
    assert why(load(at(home)), "pool.idle_s") == (5.0, "file", file)
    named = at(home, LUMBRE_POOL__IDLE_S="7")
    assert why(load(named), "pool.idle_s") == (7.0, "environment", "LUMBRE_POOL__IDLE_S")
    assert why(load(named, {"pool.idle_s": "9"}), "pool.idle_s")[:2] == (9.0, "flag")
    assert why(load(at(home)), "household.idle_s") == (600.0, "default", "")


def test_a_list_of_names_is_written_as_a_list_or_with_commas(home: Path) -> None:
    write(home, "[pool]\npinned = ['a', 'b', 'a']\n")
    assert load(at(home)).settings.pool.pinned == ("a", "b")
    named = at(home, LUMBRE_POOL__PINNED="c, d,")
    assert why(load(named), "pool.pinned")[:2] == (("c", "d"), "environment")
    assert load(at(home / "other")).settings.pool.pinned == ()


def test_what_is_pinned_makes_no_other_household(home: Path) -> None:
    plain, pinned = load(at(home)), load(at(home), {"pool.pinned": "a"})
    assert plain.fingerprint == pinned.fingerprint
    assert plain.fingerprint != load(at(home), {"pool.idle_s": "1"}).fingerprint


def test_lines_are_found_in_nested_sections(home: Path) -> None:
    write(home, '[llm.lightweight]\nid = "a"\n\n[llm.primary]\ncontext_length = 8192\nid = "b"\n')
    assert why(load(at(home)), "llm.primary.id")[2].endswith("config.toml:6")


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("[pool]\nidel_s = 5\n", "pool.idle_s"),
        ("[poll]\nidle_s = 5\n", "pool.idle_s"),
        ("[llm.primary]\nmodel = 'x'\n", "llm.primary.id"),
        ("context_lenght = 4096\n", "context_length"),
    ],
)
def test_a_key_that_does_not_exist_is_refused_with_the_nearest(
    home: Path, text: str, nearest: str
) -> None:
    write(home, text)
    with pytest.raises(UnknownConfigKey) as refused:
        load(at(home))
    assert str(refused.value.facts["nearest"]).endswith(nearest.rpartition(".")[2])
    assert nearest.rpartition(".")[0] in str(refused.value.facts["nearest"])


def test_a_variable_that_names_no_setting_is_refused(home: Path) -> None:
    with pytest.raises(UnknownConfigKey, match="LUMBRE_POOL__IDEL_S"):
        load(at(home, LUMBRE_POOL__IDEL_S="1"))


@pytest.mark.parametrize(
    "text",
    [
        "[pool]\nidle_s = 'soon'\n",
        "[pool]\nidle_s = -1\n",
        "[pool]\nidle_s = true\n",
        "[llm.primary]\ncontext_length = 4096.5\n",
        "[worker]\nload_mode = 'magic'\n",
        "[worker]\nextra_buffers = 'perhaps'\n",
        "[memory]\nreserve_bytes = 'much'\n",
        "[llm.primary]\nid = 7\n",
        "[pool]\npinned = 7\n",
        "[triggers]\nuses = ['Plan.Generat']\n",
        "[pool]\npinned = ['a', 7]\n",
        "[pool]\nidle_s = inf\n",
        "[pool]\nidle_s = nan\n",
        "[memory]\nmax_ram_gb = inf\n",
        "[answers]\npassages = 0\n",
        "[answers]\nmax_output_tokens = 0\n",
        "[answers]\ntemperature = 2.1\n",
        "[llm.primary]\ncontext_length = 255\n",
        "[llm.lightweight]\nmax_output_tokens = 0\n",
        "[llm.primary]\ntop_p = 1.1\n",
        "[documents]\npassage_characters = 99\noverlap_characters = 0\n",
        "[documents]\noverlap_characters = 501\n",
        "[documents]\npassage_characters = 399\n",
        "[documents]\nparse_memory_bytes = '1 MiB'\n",
        "[worker]\nstart_timeout_s = 0\n",
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_and_named(home: Path, text: str) -> None:
    write(home, text)
    with pytest.raises(BadConfig) as refused:
        load(at(home))
    assert "config.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("answers.passages", "0", "al menos 1"),
        ("llm.primary.context_length", "0", "al menos 256"),
        ("llm.primary.temperature", "3", "de 0 a 2"),
        ("documents.overlap_characters", "600", "como mucho 500"),
        ("documents.passage_characters", "300", "al menos 400"),
        ("documents.parse_memory_bytes", "1 MiB", "67,1 MB"),
        ("pool.idle_s", "inf", "un número"),
    ],
)
def test_a_value_out_of_its_bounds_is_told_what_they_are(
    home: Path, key: str, value: str, told: str
) -> None:
    with pytest.raises(BadConfig) as refused:
        load(at(home), {key: value})
    assert refused.value.facts["key"] == key
    assert told in refused.value.message("es")


def test_bounds_themselves_are_taken(home: Path) -> None:
    flags = {
        "answers.passages": "1",
        "llm.primary.temperature": "2",
        "documents.overlap_characters": "50",
        "documents.passage_characters": "100",
        "pool.idle_s": "0",
    }
    taken = load(at(home), flags)
    assert taken.settings.documents.passage_characters == 100
    assert taken.settings.llm.primary.temperature == 2


@pytest.mark.parametrize("name", ["LUMBRE_HOMES", "LUMBRE_MODELS_", "LUMBRE_HOME__X"])
def test_only_the_exact_names_of_the_folders_are_no_settings(home: Path, name: str) -> None:
    with pytest.raises(UnknownConfigKey, match=name):
        load(at(home, **{name: "x"}))


def test_variables_of_tests_are_free(home: Path) -> None:
    assert load(at(home, LUMBRE_TEST_DATA="x")).settings == load(at(home)).settings


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00", "is not UTF-8, line 1"),
        (b"[pool]\n# caf\xe9\n", "is not UTF-8, line 2"),
        (b"[pool\n", "is not TOML, line 1"),
        (b"# hello\nx = [", "is not TOML, line 2: Invalid value"),
        (b"[pool]\n\nidle_s = = 3\n", "is not TOML, line 3: Invalid value"),
        (None, "is a folder"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_its_line(
    home: Path, content: bytes | None, told: str
) -> None:
    home.mkdir()
    path = home / "config.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(BadConfigFile) as refused:
        load(at(home))
    assert refused.value.message("en").startswith(f"{path} {told}")
    assert refused.value.hint("en") == "lumbre doctor"


def test_a_home_that_is_a_file_is_told_as_that(home: Path) -> None:
    home.write_text("")
    for folders in (load(at(home)).folders, load(at(home / "below")).folders):
        with pytest.raises(HomeNotUsable) as refused:
            folders.make()
        assert refused.value.message("es") == f"{home} no se puede usar: no es una carpeta"


def test_sizes_are_written_as_people_write_them(home: Path) -> None:
    write(home, '[memory]\nreserve_bytes = "1.5 GiB"\n')
    assert load(at(home)).settings.memory.reserve_bytes == 3 * 512 * 1024**2


def test_the_home_moves_everything_and_models_the_weights_alone(tmp_path: Path) -> None:
    folders = load({"LUMBRE_HOME": str(tmp_path / "дом и hogar")}).folders
    for path in (folders.config_file, folders.registry, folders.database, folders.weights):
        assert path.is_relative_to(tmp_path / "дом и hogar")
    apart = load(at(tmp_path, LUMBRE_MODELS=str(tmp_path / "w"))).folders
    assert apart.weights == tmp_path / "w"
    assert apart.home == tmp_path


def test_a_long_home_has_a_short_socket(tmp_path: Path) -> None:
    folders = load({"LUMBRE_HOME": str(tmp_path / ("я" * 60))}).folders
    assert len(str(folders.socket).encode()) <= 100
    other = load({"LUMBRE_HOME": str(tmp_path / ("я" * 61))}).folders
    assert folders.socket != other.socket


def test_two_configurations_have_two_fingerprints(tmp_path: Path) -> None:
    assert load(at(tmp_path)).fingerprint == load(at(tmp_path)).fingerprint
    other = load(at(tmp_path), {"pool.idle_s": "1"})
    assert other.fingerprint != load(at(tmp_path)).fingerprint


@given(st.sampled_from(keys()), st.text(max_size=20))
def test_any_text_for_any_key_is_a_value_or_an_error_that_names_the_key(
    key: str, text: str
) -> None:
    try:
        config = load({"LUMBRE_HOME": "/nowhere/at/all"}, {key: text})
    except BadConfig as error:
        assert error.facts["key"] == key
    else:
        assert why(config, key)[1] == "flag"


def test_every_default_survives_being_written_down(home: Path) -> None:
    """What `lumbre config` shows can be put into the file as it is."""
    import json

    lines = [f"{key} = {json.dumps(value)}" for key, value, _ in load(at(home)).values()]
    tomllib.loads("\n".join(lines))
    write(home, "\n".join(lines) + "\n")
    assert load(at(home)).settings == load(at(home / "other")).settings
