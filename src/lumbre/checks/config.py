"""The settings: whether the person's own are in force."""

from collections.abc import Iterator
from dataclasses import replace

from lumbre.checks import Finding, Scope, command, found, from_error, move_aside
from lumbre.core.errors import BadConfig, BadConfigFile, LumbreError
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
    """The hint of such an error leads here."""
    path, where = scope.config.folders.config_file, str(error.facts.get("where", ""))
    finding = from_error(error)
    aside = command(move_aside(path))
    if path.is_dir():
        finding = replace(finding, mend=aside)
    elif isinstance(error, BadConfigFile) or where.startswith(str(path)):
        finding = replace(finding, mend=Sentence("doctor.config.correct", aside=aside))
    elif where.isidentifier():
        finding = replace(finding, mend=command(f"unset {where}"))
    elif isinstance(error, BadConfig):
        finding = replace(finding, mend=Sentence("doctor.config.flag", flag=where))
    return finding
