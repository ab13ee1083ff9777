"""Imports point down only, and siblings are strangers; inside functions too."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "lumbre"

LAYERS: list[list[str]] = [
    ["__main__"],
    ["cli"],
    ["server", "checks"],
    ["knowledge", "assistant"],
    ["prompting"],
    ["triggers"],
    ["runtime"],
    ["preparing"],
    ["planning"],
    ["pool"],
    ["backends", "planner", "registry", "engines"],
    ["store", "workers"],
    ["formats", "hardware", "config"],
    ["core"],
    ["words", "version"],
]
"""Top to bottom. Whoever needs an exception edits this list, in front of a reviewer."""

DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of lumbre a module imports, anywhere in it."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module == "lumbre":
                names = [f"lumbre.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("lumbre.")}
    return found


def test_every_part_has_its_layer() -> None:
    assert {part_of(path) for path in modules()} == set(DEPTH)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    mine = part_of(path)
    wrong = {part for part in imported(path) if part != mine and DEPTH[part] <= DEPTH[mine]}
    assert not wrong, f"{mine} may not know {sorted(wrong)}"


@pytest.mark.parametrize("part", ["core", "words"])
def test_the_vocabulary_needs_the_standard_library_only(part: str) -> None:
    import sys

    outside = set()
    for path in (SOURCE / part).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            outside |= {name.split(".")[0] for name in names}
    assert outside <= sys.stdlib_module_names | {"lumbre"}
