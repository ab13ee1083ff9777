"""The settings: whether the person's own are in force."""

import shlex
from collections.abc import Iterator
from dataclasses import replace

from lumbre.checks import Finding, Scope, command, found, from_error
from lumbre.core.errors import LumbreError
from lumbre.words import Sentence

PLACE = 20


def check(scope: Scope) -> Iterator[Finding]:
    if scope.trouble is not None:
        yield _trouble(scope, scope.trouble)
        return
    path = scope.config.folders.config_file
    changed = sum(origin.layer != "default" for _, _, origin in scope.config.values())
    key = "config.file" if path.exists() else "config.none"
    yield found("ok", key, path=path, changed=changed)


def _trouble(scope: Scope, error: LumbreError) -> Finding:
    """The hint of such an error is a command that would meet the same error."""
    path, where = scope.config.folders.config_file, str(error.facts.get("where", ""))
    finding = from_error(error)
    if where.startswith(str(path)):
        aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.bad')}"
        finding = replace(finding, mend=Sentence("doctor.config.correct", aside=aside))
    elif where.isidentifier():
        finding = replace(finding, mend=command(f"unset {where}"))
    if where == str(path):
        reason = error.facts["reason"]
        message = Sentence("doctor.config.broken", path=path, reason=reason)
        finding = replace(finding, message=message)
    return finding
