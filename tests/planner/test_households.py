"""What lumbre says of the reference households is what was looked at and kept."""

import re

import pytest

from lumbre.registry.known import known_models
from lumbre.words import size
from tests.conftest import Run
from tests.planner.golden_households import COMMANDS, FOLDER, PAGE, SEEN

SECTIONS = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
FIGURE = re.compile(r"[0-9.]+ GB")


def test_every_file_that_is_kept_is_asked_for() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reference_household_is_told_as_it_was_kept(name: str, lumbre: Run) -> None:
    done = lumbre(*COMMANDS[name], **SEEN)
    kept = (FOLDER / name).read_text(encoding="utf-8")
    assert done.stdout == kept, "run: python -m tests.planner.golden_households"
    assert done.returncode == 0
    assert not done.stderr


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.splitlines()[0]))
def test_every_size_that_is_told_as_true_is_in_what_was_printed(section: str) -> None:
    told = section.split("**True**")[1].split("\n\n", maxsplit=1)[0]
    printed = "".join(section.split("```")[1::2])
    figures = {figure for figure in FIGURE.findall(told) if "." in figure}
    files = {size(known.file_bytes, "en") for known in known_models()}
    assert figures
    assert figures <= {*FIGURE.findall(printed), *files}
