"""The database: whether it opens, is ours, and is whole as far as a second shows."""

import time
from collections.abc import Iterator
from contextlib import closing

import apsw

from lumbre.checks import Finding, Scope, found, from_error
from lumbre.checks._looking import LookingStore
from lumbre.core.errors import StoreDamaged

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
    with closing(LookingStore(path)) as store, store.reading() as connection:
        ((owner,),) = connection.execute("PRAGMA application_id")
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
        if owner not in (0, _OURS) or (owner == 0 and tables):
            error = StoreDamaged(path=path, reason="it belongs to another program")
            yield from_error(error)
            return
        until = time.monotonic() + _PATIENCE_S
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            ((said,),) = connection.execute("PRAGMA quick_check(1)")
            is_whole = True
        except apsw.InterruptError:
            said, is_whole = "ok", False
    if said != "ok":
        reason = str(said).splitlines()[0][:200]
        yield from_error(StoreDamaged(path=path, reason=reason))
        return
    key = "store.ok" if is_whole else "store.in_part"
    yield found("ok", key, path=path, size_bytes=path.stat().st_size)
