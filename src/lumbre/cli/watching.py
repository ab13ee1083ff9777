"""`lumbre docs watch`: folders whose changes are read as they come."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lumbre.cli import adding
from lumbre.cli.place import absolute, shown
from lumbre.cli.render import as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import BadArguments, LumbreError

if TYPE_CHECKING:
    from lumbre.cli.client import Client

Told = Callable[[Mapping[str, Any]], None]

_DEBOUNCE_MS = 1600
"""Changes are gathered for at most this long; a file that is being written is not done."""
_STEP_MS = 300
"""A pause this long ends the gathering."""
_LOOK_MS = 250
"""Between two looks at what has gathered, also the first, which begins to watch."""


@click.command("watch", cls=Verb, help="docs.watch")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@click.option("--json", "in_json", is_flag=True, help="json_lines")
@click.pass_obj
def watch(session: Session, folders: tuple[str, ...], in_json: bool) -> None:
    from watchfiles import watch as changes_of

    tops = [absolute(folder) for folder in folders]
    for top, folder in zip(tops, folders, strict=True):
        if not os.path.isdir(top):  # noqa: PTH112
            raise BadArguments(reason=session.say("cli.docs.no_folder", folder=folder))
    show: Told = _line if in_json else adding.Rows(session)

    def told(document: Mapping[str, Any]) -> None:
        if document["changed"]:
            show(document)

    try:
        with session.household() as first:
            # watched before they are read: what changes meanwhile is read after
            changes = changes_of(
                *tops,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                ignore_permission_denied=True,
                yield_on_timeout=True,
                rust_timeout=_LOOK_MS,
            )
            next(changes)
            _add(session, first, tops, told)
            session.note("cli.docs.watching", folders=", ".join(shown(top) for top in tops))
            for changed in changes:
                paths = touched((path for _, path in changed), tops)
                if not paths:
                    continue
                with session.household() as client:  # a new one, should the first have ended
                    _add(session, client, paths, told)
    except KeyboardInterrupt:
        print(file=sys.stderr)


def touched(changed: Iterable[str], tops: Sequence[str]) -> list[str]:
    """What to add again after these paths changed: themselves, or the folder they left.

    What is hidden below a folder that is watched is left out, and what lies in a folder that
    is added anyway.
    """
    wanted: dict[str, None] = {}
    for path in sorted(changed):
        top = next((top for top in tops if path == top or path.startswith(top + os.sep)), None)
        if top is None or is_hidden(path[len(top) :]):
            continue
        while path != top and not os.path.lexists(path):
            path = os.path.dirname(path)  # noqa: PTH120, PLW2901
        if os.path.lexists(path):  # a top that is gone may come back
            wanted[path] = None
    return [
        path for path in wanted if not any(str(above) in wanted for above in Path(path).parents)
    ]


def is_hidden(below: str) -> bool:
    """Whether a path has a part that `docs add` leaves out in a folder."""
    return any(part.startswith(".") for part in Path(below).parts)


def _add(session: Session, client: "Client", paths: Sequence[str], told: Told) -> None:
    """Add these. What goes wrong is said; the watch goes on."""
    try:
        adding.add(session, client, paths, told)
    except LumbreError as error:
        session.complain(error)


def _line(document: Mapping[str, Any]) -> None:
    print(as_json(document, indent=None), flush=True)
