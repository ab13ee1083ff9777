"""The manifests: each readable, and one model that speaks."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found, from_error, move_aside
from lumbre.core.errors import LumbreError
from lumbre.registry.folder import Registry

PLACE = 110


def check(scope: Scope) -> Iterator[Finding]:
    folder = scope.config.folders.registry
    if not folder.exists():
        yield found("ok", "manifests.not_yet", path=folder)
        return
    if not folder.is_dir():
        yield found("fail", "manifests.no_folder", command(move_aside(folder)), path=folder)
        return
    registry = Registry(folder)
    broken = registry.broken()
    for error in broken:
        yield from_error(error)
    models = registry.usable()
    if not models and not broken:
        yield found("fail", "manifests.none", command("lumbre init"), path=folder)
        return
    try:
        primary = registry.primary(scope.config.settings.llm.primary.id or None)
    except LumbreError as error:
        if all(error.facts != told.facts for told in broken):
            yield from_error(error)
        return
    yield found("ok", "manifests.ok", count=len(models), primary=primary.id)
