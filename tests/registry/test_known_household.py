"""A described household is known models, each with its place; a file that says else is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadHousehold, LumbreError, UnknownHousehold
from lumbre.hardware.described import find_machine
from lumbre.registry.known.household import find_household, household_names, read_household

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", household_names())
def test_a_household_that_ships_is_whole(name: str) -> None:
    household = find_household(name)
    assert household.name == name
    assert find_machine(household.machine).devices
    assert sum(model.role == "primary" for model in household.models) == 1


def test_the_four_reference_households_ship() -> None:
    assert {"cpu-16gb", "rtx-4070-12gb", "5070ti-2060", "rtx-5090"} <= set(household_names())


def test_the_examples_are_those_that_ship() -> None:
    examples = ROOT / "examples" / "households"
    assert {path.stem for path in examples.glob("*.toml")} == set(household_names())
    for path in examples.glob("*.toml"):
        assert read_household(path) == find_household(path.stem)


def test_a_model_elsewhere_has_no_weights_here() -> None:
    solar = find_household("cpu-16gb-remote").models[0]
    assert (solar.format, solar.weights) == ("remote", ())


def test_a_file_may_name_models_as_people_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[models]]\nid = "llama3.1:8b"\nrole = "primary"\nload = "on_demand"\n', encoding="utf-8"
    )
    household = read_household(path)
    assert (household.name, household.machine) == ("mine", "")
    (model,) = household.models
    assert (model.id, model.role, model.loads) == ("llama-3.1-8b-q4_k_m", "primary", "on_demand")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no models"),
        ("models = 5", "names no models"),
        ("models = []", "names no models"),
        ("models = [1]", "names no models"),
        ("machine = 5\n[[models]]\nid = 'solar'", "machine cannot be 5"),
        ("[[models]]\nrole = 'primary'", "no known model is called ''"),
        ("[[models]]\nid = 'nobody-1t'", "no known model is called 'nobody-1t'"),
        ("[[models]]\nid = 7", "no known model is called '7'"),
        ("[[models]]\nid = 'solar'\nrole = 'chief'", "role cannot be chief; it may be: "),
        ("[[models]]\nid = 'solar'\nrole = ['primary']", "role cannot be ['primary']"),
        ("[[models]]\nid = 'solar'\nload = 'never'", "load cannot be never"),
        ("[[models]]\nid = 'solar'\ncontext = 8192", "context cannot be 8192"),
        ("[[models]]\nid = 'solar'\ncontext = '4k'", "context cannot be 4k"),
        ("[[models]]\nid = 'solar'\ncolour = 'red'", "a model has no colour"),
        ("[[models]]\nid = 'solar'\n[[models]]\nid = 'solar:10.7b'", "named twice"),
        ("machine = ''\n[[models]", "line 2 is not TOML"),
        ("# mine\n\nx = [", "line 3 is not TOML"),
        ("\x00", "line 1 is not TOML"),
    ],
)
def test_a_file_that_describes_none_is_refused_with_its_reason(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadHousehold) as refused:
        read_household(path)
    assert said in refused.value.message("en")
    assert "correct the file" in refused.value.hint("en")


def test_no_file_and_no_name_is_refused(tmp_path: Path) -> None:
    for name in ("nobody", str(tmp_path / "nothing.toml"), "a\0b", ""):
        with pytest.raises(UnknownHousehold) as refused:
            find_household(name)
        assert "cpu-16gb" in refused.value.hint("en")


def test_a_folder_is_said_to_be_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadHousehold, match="no ordinary file"):
        find_household(str(tmp_path))


@given(text=st.text(max_size=300) | st.binary(max_size=300))
def test_no_text_takes_anything_down(
    text: str | bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("odd") / "odd.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    try:
        read_household(path)
    except LumbreError as error:
        assert error.message("ru")
