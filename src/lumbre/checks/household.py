"""The household in the background: whether it runs, or has ended without a word."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found
from lumbre.version import VERSION

PLACE = 130


def check(scope: Scope) -> Iterator[Finding]:
    serving, log = scope.serving, scope.config.folders.household_log
    if serving is None:
        yield found("ok", "household.none")
        return
    facts = {"pid": serving.pid, "version": serving.version, "log": log}
    if not serving.is_alive:
        mend = command(f"tail {log}") if log.exists() else None
        yield found("warn", "household.crashed", mend, **facts)
    elif serving.version != VERSION:
        yield found("warn", "household.other", command("lumbre stop"), ours=VERSION, **facts)
    else:
        yield found("ok", "household.runs", **facts)
