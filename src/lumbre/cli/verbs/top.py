"""`lumbre top`: the household at work, drawn anew each second."""

import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from lumbre.cli.render import as_json, folded
from lumbre.cli.session import Session
from lumbre.cli.top_lines import Line, Piece, between
from lumbre.cli.top_map import lettered
from lumbre.cli.top_view import page, short_time
from lumbre.cli.verb import Verb
from lumbre.core.errors import HouseholdDied, LumbreError

Seen = Mapping[str, Any] | LumbreError | None

NOBODY: Mapping[str, Any] = {
    "household": None,
    "devices": [],
    "models": [],
    "queue": [],
    "evictions": [],
    "cooling": [],
    "total_bytes": 0,
    "budget_bytes": 0,
}
_EVERY_S = 1.0
_SILENT_S = 3.0
"""An answer that takes longer than this is missed."""
_QUIT = "q"
_PIPED = (100, 24)
"""Columns and rows where no terminal tells."""


@click.command("top", cls=Verb, help="top.help")
@click.option("--once", is_flag=True, help="top.once")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, once: bool, in_json: bool) -> None:
    from lumbre.cli.live import Watch, is_possible, show, show_until

    if in_json:
        print(as_json(_asked(session)))
        return
    if once or not is_possible(session.environment.get("TERM", "")):
        shown = _Page(session)
        show(shown.lines(_asked(session), shutil.get_terminal_size(_PIPED).columns))
        return
    with Watch(lambda: _look(session), _EVERY_S) as watch:
        drawn = _Page(session, beside=session.say("top.quit"))

        def draw(columns: int, rows: int) -> Sequence[Line]:
            silent_s = drawn.silent_s(watch.looks)
            if not watch.looks:
                return drawn.before(columns, silent_s)
            return drawn.lines(watch.seen, columns, rows, silent_s=silent_s)

        show_until(draw, _QUIT)


def _asked(session: Session) -> Mapping[str, Any]:
    """One snapshot; that of nobody where nobody runs.

    Raises:
        LumbreError: the household could not say.
    """
    seen = _look(session)
    if isinstance(seen, LumbreError):
        raise seen
    return NOBODY if seen is None else seen


def _look(session: Session) -> Seen:
    """What the household says of itself; None where none runs. Starts nobody."""
    from lumbre.cli.attach import reach, running

    try:
        note = running(session)
        if note is None:
            return None
        seen: Mapping[str, Any] = reach(session, note).get("/lumbre/top")
    except HouseholdDied:  # it ended this moment
        return None
    except LumbreError as error:
        return error
    return seen


class _Page:
    """What is remembered from one drawing to the next."""

    def __init__(self, session: Session, beside: str = "") -> None:
        self._session = session
        self._beside = beside
        self._letters: dict[str, str] = {}
        self._looks = 0
        self._news = time.monotonic()

    def silent_s(self, looks: int) -> float:
        """Since when nothing new has come."""
        if looks != self._looks:
            self._looks, self._news = looks, time.monotonic()
        return time.monotonic() - self._news

    def lines(
        self, seen: Seen, columns: int, rows: int | None = None, *, silent_s: float = 0.0
    ) -> list[Line]:
        """The page, no wider and no higher."""
        session = self._session
        if isinstance(seen, LumbreError):
            message, hint = seen.message(session.language), seen.hint(session.language)
            return self._said([message, hint], columns)
        if seen is None or seen["household"] is None:
            told = [session.say("cli.ps.none")]
            told += [session.say("top.waits")] if self._beside else []
            return self._said(told, columns)
        self._letters = lettered(self._letters, [model["id"] for model in seen["models"]])
        beside = f"{self._silent(silent_s)}{self._beside}"
        return page(
            seen, self._letters, session.language, width=columns, height=rows, beside=beside
        )

    def before(self, columns: int, silent_s: float) -> list[Line]:
        """While nothing was ever seen."""
        return self._said([self._silent(silent_s).rstrip()], columns)

    def _silent(self, silent_s: float) -> str:
        """That no answer has come for some time; nothing before it is missed."""
        if silent_s <= _EVERY_S + _SILENT_S:
            return ""
        ago = short_time(silent_s, self._session.language)
        return f"{self._session.say('top.silent', ago=ago)}  "

    def _said(self, told: Sequence[str], columns: int) -> list[Line]:
        lines = [(Piece(line),) for text in told for line in folded(text, columns, 0)]
        if self._beside:
            first = between((Piece("lumbre", "title"),), (Piece(self._beside, "dim"),), columns)
            return [first, (), *lines]
        return [*lines]
