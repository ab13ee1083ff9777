"""The database: whether it opens, is ours, and is whole as far as a second shows."""

import shlex
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw

from lumbre.checks import Finding, Scope, command, found, from_error, move_aside
from lumbre.checks._looking import LookingStore
from lumbre.core.errors import StoreDamaged
from lumbre.words import Sentence

PLACE = 100
_PATIENCE_S = 1.0
_STEPS = 10_000
_OURS = int.from_bytes(b"lumb")
"""The mark `lumbre.store` puts on its file."""


def check(scope: Scope) -> Iterator[Finding]:
    path = scope.config.folders.database
    if not path.exists():
        yield found("ok", "store.not_yet", path=path)
        return
    if path.is_dir():
        yield found("fail", "store.folder", command(move_aside(path)), path=path)
        return
    try:
        yield _look(path)
    except StoreDamaged as error:
        yield replace(from_error(error), mend=_mend(scope))


def _look(path: Path) -> Finding:
    """Raises StoreDamaged."""
    with closing(LookingStore(path)) as store, store.reading() as connection:
        ((owner,),) = connection.execute("PRAGMA application_id")
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
        if owner not in (0, _OURS) or (owner == 0 and tables):
            raise StoreDamaged(path=path, reason=Sentence("doctor.store.foreign"))
        until = time.monotonic() + _PATIENCE_S
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            ((said,),) = connection.execute("PRAGMA quick_check(1)")
            is_whole = True
        except apsw.InterruptError:
            said, is_whole = "ok", False
    if said != "ok":
        raise StoreDamaged(path=path, reason=str(said).splitlines()[0][:200])
    key = "store.ok" if is_whole else "store.in_part"
    return found("ok", key, path=path, size_bytes=path.stat().st_size)


def _mend(scope: Scope) -> Sentence:
    """Its log goes with it: beside another database that one would be taken for its own."""
    path = scope.config.folders.database
    folder = shlex.quote(str(path.with_name("damaged")))
    stop = "lumbre stop && " if scope.serving is not None else ""
    aside = f"{stop}mkdir -p {folder} && mv {shlex.quote(str(path))}* {folder}"
    return Sentence("doctor.store.aside", aside=aside)
