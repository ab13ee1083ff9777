"""Each module has one reason and stays small enough to be read in one sitting."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "lumbre"
MODULES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 400
FORBIDDEN = {"utils", "helpers", "common", "manager", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_its_one_reason(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        assert path.name == "__init__.py"
        return
    said = ast.get_docstring(ast.parse(text))
    assert said, "the docstring's first line is the reason the file exists"
    assert len(said.splitlines()[0]) <= 100
    assert said.splitlines()[0].count(" and ") <= 2


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_short(path: Path) -> None:
    most = 700 if path.name == "errors.py" else MOST_LINES
    assert len(path.read_text().splitlines()) <= most


def test_no_module_has_a_name_that_means_anything() -> None:
    assert not FORBIDDEN & {path.stem for path in MODULES}


def test_only_the_faces_read_the_environment() -> None:
    """Everything else is handed what it needs."""
    faces = {"cli/main.py", "cli/live.py", "server/daemon.py", "cli/attach.py", "pool/worker.py"}
    programs = {"registry/tied_pip.py"}
    readers = {
        str(path.relative_to(SOURCE))
        for path in MODULES
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert {name for name in readers if not name.startswith("workers/")} <= faces | programs
