"""Write the pages of this folder that are read out of the program.

`make docs` runs it. The pages: config.md, manifest.md, metrics.md, cli.md, errors.md;
tests/docs fails while one of them is not what this would write.
"""

import argparse
import ast
import dataclasses
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from lumbre.cli import verb
from lumbre.cli.main import exit_code
from lumbre.cli.session import Flags, Session
from lumbre.config import Settings, load
from lumbre.core import fields, model
from lumbre.core.errors import BadManifest, CapacityError, EngineError, LumbreError, UsageError
from lumbre.core.errors import leaves as leaves_of
from lumbre.core.units import print_bytes
from lumbre.server.errors import status_of

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "lumbre"
_MARK = "<!-- Written by docs/generate.py; `make docs` writes it again. -->"


def main() -> None:
    """Write every page into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=HERE, metavar="FOLDER")
    into: Path = parser.parse_args().into
    for name, page in PAGES.items():
        (into / name).write_text("\n".join([_MARK, "", *page(), ""]), encoding="utf-8")


def config_page() -> Iterator[str]:
    """Every setting, with its default and what it is for."""
    yield from (_HEAD / "config.md").read_text(encoding="utf-8").splitlines()
    said = _fields_of(SOURCE / "config" / "settings.py")
    yield from _section(Settings(), "", said)


def _section(settings: Any, prefix: str, said: "_Said") -> Iterator[str]:
    cls = type(settings).__name__
    rows, inner = [], []
    for item in dataclasses.fields(settings):
        value, key = getattr(settings, item.name), f"{prefix}{item.name}"
        if dataclasses.is_dataclass(value):
            inner.append((value, key))
            continue
        kind, text = said[cls].fields[item.name]
        choices = f" ({_choices(item.type)})" if _choices(item.type) else ""
        told = print_bytes(value) if key.endswith("_bytes") else json.dumps(value)
        text = f"{text}{choices}{_bounds(item.metadata, key)}".strip()
        rows.append((f"`{key}`", f"`{told}`", f"`{kind}`", text))
    if rows:
        yield from ("", f"## [{prefix[:-1]}]", "", said[cls].text, "")
        yield from _table(("key", "default", "type", "what it does"), rows)
    for value, key in inner:
        yield from _section(value, f"{key}.", said)


def _bounds(declared: Mapping[str, Any], key: str) -> str:
    """What values it takes, where not any from 0 on."""
    least, most = declared.get("least"), declared.get("most")
    if least is None:
        return ""
    if most is not None:
        return f" From {least} to {most}."
    return f" At least {print_bytes(least) if key.endswith('_bytes') else least}."


def manifest_page() -> Iterator[str]:
    """Every field a manifest may have, and the rules it is held to."""
    yield from (_HEAD / "manifest.md").read_text(encoding="utf-8").splitlines()
    said = _fields_of(SOURCE / "core" / "model.py")
    inside = ("WeightsFile", "Source", "BackendChoice", "Sampling", "Prompts", "Price")
    for cls in ("Manifest", *inside):
        yield from ("", f"## {cls}", "", said[cls].text, "")
        rows = [(f"`{n}`", f"`{kind}`", text) for n, (kind, text) in said[cls].fields.items()]
        yield from _table(("field", "type", "meaning"), rows)
    yield from ("", "## Choices", "")
    names = ("Role", "Load", "Format", "Capability", "Part", "ReasoningMode")
    rows = [(f"`{n}`", ", ".join(f"`{c}`" for c in get_args(getattr(model, n)))) for n in names]
    yield from _table(("type", "values"), rows)
    yield from ("", "## Rules", "", "Each rule has an error of its own.", "")
    rules = [(f"`{leaf.code}`", leaf.__doc__ or "") for leaf in leaves_of(BadManifest)]
    yield from _table(("error", "rule"), rules)


def metrics_page() -> Iterator[str]:
    """Every metric, as a household that has just opened tells of them."""
    from lumbre.runtime import Runtime
    from lumbre.server import metrics
    from lumbre.store import Store

    yield from (_HEAD / "metrics.md").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        config = load({"LUMBRE_HOME": folder})
        with closing(Store(config.folders.database)) as store:
            runtime = Runtime(config, store)
            text = metrics.exposition(runtime, [], 0.0).decode()
    told = _exposed(text)
    rows = []
    for name in metrics.NAMES:
        kind, meaning = told[name if name in told else name.removesuffix("_total")]
        rows.append((f"`{name}`", kind, meaning))
    yield ""
    yield from _table(("metric", "kind", "meaning"), rows)


def _exposed(text: str) -> dict[str, tuple[str, str]]:
    """Name -> (kind, meaning), from the HELP and TYPE lines."""
    help_, kinds = {}, {}
    for line in text.splitlines():
        words = line.split(" ", 3)
        if line.startswith("# HELP"):
            help_[words[2]] = words[3]
        elif line.startswith("# TYPE"):
            kinds[words[2]] = words[3]
    return {name: (kinds[name], meaning) for name, meaning in help_.items()}


def cli_page() -> Iterator[str]:
    """The `--help` of every verb."""
    yield from (_HEAD / "cli.md").read_text(encoding="utf-8").splitlines()
    yield from _help(())
    program = verb.Lumbre(name="lumbre")
    scope = click.Context(program)
    for name in program.list_commands(scope):
        yield from _help((name,))
        command = program.get_command(scope, name)
        for below in command.commands if isinstance(command, click.Group) else ():
            yield from _help((name, below))


def _help(words: tuple[str, ...]) -> Iterator[str]:
    session = Session({"LUMBRE_HOME": "nowhere"}, Flags(lang="en"))
    told = io.StringIO()
    with redirect_stdout(told):
        verb.Lumbre(name="lumbre").main(
            args=[*words, "--help"], prog_name="lumbre", standalone_mode=False, obj=session
        )
    depth = "#" * (len(words) + 1 if words else 2)
    everywhere = session.say("cli.everywhere")
    text = told.getvalue().strip()
    if words:
        text = text.removesuffix(everywhere).strip()
    yield from ("", f"{depth} lumbre {' '.join(words)}".rstrip(), "", "```text", text, "```")


def errors_page() -> Iterator[str]:
    """Every error, with its words in English."""
    yield from (_HEAD / "errors.md").read_text(encoding="utf-8").splitlines()
    for branch in (UsageError, CapacityError, EngineError):
        yield from ("", f"## {branch.__name__}", "", branch.__doc__ or "", "")
        for leaf in leaves_of(branch):
            yield from _error(leaf)


def _error(leaf: type[LumbreError]) -> Iterator[str]:
    error = leaf(**{name: _Place(name) for name in leaf.wants})
    yield f"- **`{leaf.code}`** (exit {exit_code(error)}, HTTP {status_of(error)}): {leaf.__doc__}"
    yield f"  - {_escaped(error.message())}"
    yield f"  - hint: {_escaped(error.hint())}"


class _Place(str):
    """A fact that is not there: shown as {name} however a sentence writes it."""

    def __repr__(self) -> str:
        return self

    def __new__(cls, name: str) -> "_Place":
        return super().__new__(cls, f"{{{name}}}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Class:
    """A class as its source tells of it."""

    text: str
    fields: dict[str, tuple[str, str]]
    """Name -> (type, docstring)."""


_Said = dict[str, _Class]


def _fields_of(path: Path) -> _Said:
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            known = {f.name: (f.kind, f.text) for f in fields.documented(node.body)}
            found[node.name] = _Class(ast.get_docstring(node) or "", known)
    return found


def _choices(kind: object) -> str:
    return " | ".join(map(str, get_args(kind))) if get_origin(kind) is Literal else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


_HEAD = HERE / "heads"
"""How each of these pages begins; what follows is read out of the program."""

PAGES = {
    "config.md": config_page,
    "manifest.md": manifest_page,
    "metrics.md": metrics_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
}

if __name__ == "__main__":
    main()
