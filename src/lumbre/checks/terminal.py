"""The terminal: whether it can show what lumbre writes."""

import codecs
from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found

PLACE = 30


def check(scope: Scope) -> Iterator[Finding]:
    try:
        encoding = codecs.lookup(scope.encoding or "ascii").name
    except LookupError:
        encoding = "ascii"
    if encoding == "utf-8":
        yield found("ok", "terminal.ok", encoding="UTF-8")
    else:
        yield found("warn", "terminal.other", command("export LANG=C.UTF-8"), encoding=encoding)
