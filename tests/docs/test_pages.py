"""A page says nothing that is not so: links, names, examples and drawing are held to the code."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from lumbre.config import load
from lumbre.core.errors import ManifestMissingField
from lumbre.registry.manifest import parse_manifest
from lumbre.version import VERSION
from tests.architecture.test_layers import LAYERS
from tests.docs.pages import ROOT, Block, blocks, name, pages, without_blocks

PAGES = pages()
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
OUTSIDE = re.compile(r"(?<![\w.:/~-])/(?:home|root|tmp|work|mnt|opt|Users|private|srv|var)\b")
PLACE = re.compile(r"`((?:src|tests|docs|examples|benchmarks)/[\w./*-]+)`")
TARGET = re.compile(r"^make ([a-z]+)", re.MULTILINE)


def found(kind: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, kind)]


def where(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(without_blocks(page))
    near = [link.split("#")[0] for link in links if "://" not in link]
    assert not [link for link in near if link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_place_named_is_there(page: Path) -> None:
    places = PLACE.findall(page.read_text(encoding="utf-8"))
    assert not [place for place in places if not list(ROOT.glob(place.rstrip("/")))]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_a_path_outside_the_project(page: Path) -> None:
    assert not OUTSIDE.findall(page.read_text(encoding="utf-8"))


def test_what_to_make_can_be_made() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {target for block in found("sh") for target in TARGET.findall(block.text)}
    assert named
    assert named <= targets


@pytest.mark.parametrize("block", found("python"), ids=where)
def test_python_on_a_page_runs(block: Block) -> None:
    exec(compile(block.text, where(block), "exec"), {"__name__": "page"})


@pytest.mark.parametrize("block", found("toml"), ids=where)
def test_settings_on_a_page_are_settings(block: Block, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(block.text, encoding="utf-8")
    values = tomllib.loads(block.text)
    config = load({"LUMBRE_HOME": str(tmp_path)})
    assert values
    assert {key.split(".")[0] for key in config.origins} == set(values)


@pytest.mark.parametrize("block", found("yaml"), ids=where)
def test_a_manifest_on_a_page_is_one(block: Block, tmp_path: Path) -> None:
    fields = yaml.safe_load(block.text)
    assert parse_manifest(fields, tmp_path / "page.yaml").id == fields["id"]


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "family",
        "role",
        "format",
        "capabilities",
        "revision",
        "path",
        "quant",
        "checksum_sha256",
        "context_length",
    ],
)
def test_the_fields_called_needed_are_needed(field: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    needed = text[text.index("Always needed:") : text.index("An id may follow")]
    (block,) = blocks(ROOT / "docs" / "manifest.md", "yaml")
    fields = yaml.safe_load(block.text)
    del fields[field]
    assert f"`{field}`" in needed
    with pytest.raises(ManifestMissingField, match=field):
        parse_manifest(fields, tmp_path / "page.yaml")


def test_a_field_said_not_to_be_used_yet_is_not_used() -> None:
    text = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"not acted on yet: (.*?)\.\n", text, re.DOTALL)
    unused = re.findall(r"`(\w+)`", sentence)
    source = ROOT / "src" / "lumbre"
    users = [
        path
        for path in source.rglob("*.py")
        if path.parent.name != "registry" and path.name != "model.py"
    ]
    attributes = {
        node.attr
        for path in users
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("manifest", "model", "primary")
    }
    assert unused
    assert not attributes & set(unused)


def glossary() -> list[tuple[str, str, str]]:
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$",
        (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return [(word, meaning, module) for word, meaning, module in rows]


@pytest.mark.parametrize(("words", "module"), [(row[0], row[2]) for row in glossary()])
def test_a_word_is_used_by_the_module_that_owns_it(words: str, module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8").lower()
    assert all(word.strip() in text for word in words.split(","))


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    words = [row[0] for row in glossary()]
    assert len(words) > 30
    assert words == sorted(set(words))


def test_the_drawing_is_the_layers() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawing = page.split("```")[1].strip().splitlines()
    assert [line[:42].split() for line in drawing] == LAYERS
    assert all(line[42:].strip() for line in drawing)


@pytest.mark.parametrize(("page", "most"), [("ARCHITECTURE.md", 80), ("README.md", 190)])
def test_a_page_for_everybody_is_short(page: str, most: int) -> None:
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= most


def test_the_changelog_and_the_package_agree_on_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [VERSION])
    assert project["version"] == VERSION
