"""`lumbre doctor`: everything lumbre needs, whether it is there, and what mends it."""

import shutil
import sys
import unicodedata
from pathlib import Path

import click

from lumbre.checks import Finding, Scope, Serving, Status, names, run
from lumbre.cli.render import as_json, folded, visible, wrapped
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.config import Folders
from lumbre.core.errors import LumbreError
from lumbre.words import Sentence, say

_MARKS: dict[Status, str] = {"ok": "✓", "warn": "!", "fail": "✗"}
_ARROW = "→"
_COMMANDS = ("doctor.command", "doctor.store.aside")
_LOCK = ".household.lock"
"""Without it nobody ever served here, and `is_owned` would make it."""


@click.command("doctor", cls=Verb, help="doctor.help")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, in_json: bool) -> int:
    scope = Scope(
        config=session.config,
        environment=session.environment,
        trouble=session.trouble,
        serving=_serving(session.config.folders),
        encoding=sys.stdout.encoding or "ascii",
    )
    findings = run(scope)
    if in_json:
        print(as_json([_told(session, name, finding) for name, finding in findings]))
    else:
        _print(session, findings)
    return 1 if any(finding.status == "fail" for _, finding in findings) else 0


def _serving(folders: Folders) -> Serving | None:
    """Who serves this home, by the note; looking leaves nothing behind."""
    from lumbre.server.socket import is_owned, read_note

    note = read_note(folders)
    if note is None:
        return None
    try:
        is_alive = (folders.home / _LOCK).exists() and is_owned(folders, "household")
    except LumbreError:  # the lock cannot be looked at: the check of the home says so
        is_alive = True
    return Serving(note.pid, note.version, Path(note.socket), is_alive)


def _told(session: Session, name: str, finding: Finding) -> dict[str, object]:
    return {
        "check": name,
        "status": finding.status,
        "message": _said(session, finding.message),
        "mend": None if finding.mend is None else _said(session, finding.mend),
        "facts": finding.facts,
    }


def _print(session: Session, findings: list[tuple[str, Finding]]) -> None:
    """A list whose names stand under each other, with what mends under what is wrong."""
    can_draw = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    marks = _MARKS if can_draw else {status: session.say(f"doctor.{status}") for status in _MARKS}
    arrow = _ARROW if can_draw else "->"
    called = {name: session.say(f"doctor.name.{name}") for name in names()}
    mark_width = max(map(_width, marks.values()))
    name_width = max(map(_width, called.values()))
    indent = mark_width + name_width + 3
    shown = ""
    for name, finding in findings:
        left = "" if name == shown else called[name]
        head = f"{_padded(marks[finding.status], mark_width)} {_padded(left, name_width)}  "
        print(head + wrapped(_said(session, finding.message), indent).lstrip())
        if finding.mend is not None:
            print("\n".join(_mending(session, finding.mend, f"{' ' * indent}{arrow} ")))
        shown = name
    counts = {status: sum(finding.status == status for _, finding in findings) for status in _MARKS}
    print()
    session.print("doctor.all_well" if counts["ok"] == len(findings) else "doctor.some", **counts)


def _mending(session: Session, mend: Sentence, head: str) -> list[str]:
    """A command alone is copied from the terminal: it stays on one line."""
    text = visible(_said(session, mend))
    if mend.key in _COMMANDS or not sys.stdout.isatty():
        return [head + text]
    lines = folded(text, shutil.get_terminal_size().columns, len(head))
    return [head + lines[0].lstrip(), *lines[1:]]


def _said(session: Session, sentence: Sentence) -> str:
    return say(sentence.key, session.language, **sentence.facts)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(letter) else 1 for letter in text)
