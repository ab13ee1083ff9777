"""`lumbre docs open`: see for yourself where a citation stands."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lumbre.cli import viewer
from lumbre.cli.place import absolute, shown
from lumbre.cli.render import visible
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import BadConfig, DocumentUnreadable
from lumbre.words import Sentence

_PAGE = re.compile(r"(.+)#page=(\d+)", re.DOTALL)
_FAILS_S = 0.5
"""A viewer that cannot show anything says so sooner than this; another goes on without us."""
_PRINTED = ("text", "markdown")
"""Kinds of files that a terminal shows as well as any window."""


@click.command("open", cls=Verb, help="docs.open")
@click.argument("citation", metavar="CITATION")
@click.option("--print", "prints", is_flag=True, help="docs.print")
@click.pass_obj
def open_(session: Session, citation: str, prints: bool) -> None:
    with session.household() as client:
        place = client.post("/lumbre/docs/place", _meant(citation))
    words = None if prints else _command(session, place)
    if words is not None and _runs(session, words):
        page = session.say("cli.docs.page", page=place["page"]) if place["page"] else ""
        document = f"{shown(place['document'])}{page}"
        session.note("cli.docs.opened", document=document, viewer=Path(words[0]).name)
        return
    if place["text"] is None:
        reason = Sentence(f"docs.{place['reason']}")
        raise DocumentUnreadable(document=place["document"], reason=reason)
    _print(session, place)


def _meant(citation: str) -> dict[str, object]:
    """The number of a citation, or a document with a page or without."""
    if citation.isascii() and citation.strip("[]").isdigit():
        return {"citation": int(citation.strip("[]"))}
    with_page = _PAGE.fullmatch(citation)
    document, page = (with_page[1], int(with_page[2])) if with_page else (citation, None)
    return {"document": document, "absolute": absolute(document), "page": page}


def _command(session: Session, place: Mapping[str, Any]) -> list[str] | None:
    """What shows the file itself; None where its text is printed."""
    path, page = place["document"], place["page"]
    if not Path(path).is_file():
        session.note("cli.docs.not_there", document=shown(path))
        return None
    if wanted := session.config.settings.documents.viewer:
        return viewer.configured(wanted, path, page, _where(session))
    from lumbre.knowledge.parsers import module_for

    if module_for(Path(path)) in _PRINTED:
        return None
    return viewer.command(
        path,
        page,
        platform=sys.platform,
        environment=session.environment,
        has=lambda name: shutil.which(name) is not None,
    )


def _runs(session: Session, words: list[str]) -> bool:
    """Whether the command showed the document, or is still at it. No shell is asked.

    Raises:
        BadConfig: the viewer of the settings cannot be run.
    """
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        if wanted := session.config.settings.documents.viewer:
            reason = error.strerror or str(error)
            raise BadConfig(
                key="documents.viewer", value=wanted, reason=reason, where=_where(session)
            ) from error
        return False
    try:
        return child.wait(_FAILS_S) == 0
    except subprocess.TimeoutExpired:
        child.returncode = 0  # it outlives this command: nobody waits for it here
        return True


def _where(session: Session) -> str:
    return session.config.origins["documents.viewer"].where


def _print(session: Session, place: Mapping[str, Any]) -> None:
    """The page, or the lines around the quote, with the quote marked."""
    page = session.say("cli.docs.page", page=place["page"]) if place["page"] else ""
    session.note("cli.docs.shown", document=f"{shown(place['document'])}{page}")
    text: str = place["text"]
    start = max(0, place["start"] - place["text_start"])
    end = max(start, place["end"] - place["text_start"])
    before, quote, after = (visible(part) for part in (text[:start], text[start:end], text[end:]))
    if quote:
        left, right = ("\x1b[1m", "\x1b[0m") if _in_bold(session) else ("[[", "]]")
        quote = f"{left}{quote}{right}"
    print(f"{before}{quote}{after}".strip("\n"))


def _in_bold(session: Session) -> bool:
    return sys.stdout.isatty() and not session.environment.get("NO_COLOR")
