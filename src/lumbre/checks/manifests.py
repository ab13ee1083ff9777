"""The manifests: each readable, and one model that speaks."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found, from_error
from lumbre.core.errors import LumbreError
from lumbre.registry.folder import Registry

PLACE = 110


def check(scope: Scope) -> Iterator[Finding]:
    folder = scope.config.folders.registry
    if not folder.exists():
        yield found("ok", "manifests.not_yet", path=folder)
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
        if error not in broken:
            yield from_error(error)
        return
    yield found("ok", "manifests.ok", count=len(models), primary=primary.id)
