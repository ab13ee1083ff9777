"""What a page tells of the program is read out of the program, and as the program is now."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lumbre.cli.verb import Group, Lumbre
from lumbre.config.load import keys
from lumbre.core.errors import leaves
from lumbre.core.fields import fields_of
from lumbre.core.model import Manifest
from lumbre.server.metrics import NAMES
from tests.docs.pages import ROOT

PAGES = ("config.md", "manifest.md", "metrics.md", "cli.md", "errors.md")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as they would be written now, in a terminal that speaks Russian."""
    folder = tmp_path_factory.mktemp("pages")
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--into", folder],
        capture_output=True,
        text=True,
        env={**os.environ, "LANG": "ru_RU.UTF-8", "COLUMNS": "40"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_exactly_the_known_pages_are_written(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(page: str, written: Path) -> None:
    stands = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert stands == (written / page).read_text(encoding="utf-8"), "run: make docs"


@pytest.mark.parametrize("key", keys())
def test_every_setting_is_explained(key: str) -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert f"| `{key}` |" in page


def test_every_field_metric_error_and_command_has_its_place() -> None:
    pages = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in PAGES}
    program = Lumbre(name="lumbre")
    scope = click.Context(program)
    commands = []
    for verb in program.list_commands(scope):
        command = program.get_command(scope, verb)
        commands.append(f"## lumbre {verb}\n")
        if isinstance(command, Group):
            commands += [f"### lumbre {verb} {below}\n" for below in command.commands]
    wanted = {
        "manifest.md": [f"| `{field.name}` |" for field in fields_of(Manifest)],
        "metrics.md": [f"| `{metric}` |" for metric in NAMES],
        "errors.md": [f"**`{leaf.code}`**" for leaf in leaves()],
        "cli.md": commands,
    }
    missing = [(page, text) for page, texts in wanted.items() for text in texts
               if pages[page].count(text) < 1]  # fmt: skip
    assert not missing
