"""Add a model that lies with its publisher: choose its file, write its manifest."""

import sys
from typing import TYPE_CHECKING

from lumbre.cli.pulling import ways
from lumbre.cli.render import table
from lumbre.cli.session import Session
from lumbre.core.errors import BadArguments
from lumbre.core.model import Role
from lumbre.words import size

if TYPE_CHECKING:
    from lumbre.registry.folder import Registry
    from lumbre.registry.sources._hub import Listed


def add_from_publisher(
    session: Session,
    registry: "Registry",
    uri: str,
    role: Role | None,
    *,
    model_id: str | None,
    projector: str | None,
) -> None:
    """Write the manifest of what an address offers; nothing is fetched but its header.

    Raises:
        BadArguments: the address names a repository, and nobody is there to choose a file.
        LumbreError: as `registry.offered`.
    """
    from lumbre.registry.add import write
    from lumbre.registry.offered import choices, offered, places_taken

    patience, places = ways(session)
    if listed := choices(uri, patience, places):
        uri = _chosen(session, uri, listed)
    found = offered(
        uri,
        role,
        patience,
        places,
        model_id=model_id,
        projector=projector,
        taken=places_taken(registry.usable()),
    )
    manifest = found.manifest
    path = write(session.config.folders.registry, manifest)
    session.print("cli.models.added", model=manifest.id, path=path)
    if found.terms:
        session.note("models.terms", page=found.terms, variable=places.hub_token_name)
    total_bytes = sum(file.size_bytes or 0 for file in manifest.files)
    session.print("models.then_pull", model=manifest.id, total_bytes=total_bytes)


def _chosen(session: Session, uri: str, listed: "tuple[Listed, ...]") -> str:
    address, at, revision = uri.partition("@")

    def named(file: "Listed") -> str:
        return f"{address.rstrip('/')}/{file.name}{at}{revision}"

    if len(listed) == 1:
        return named(listed[0])
    language = session.language
    rows = [
        (str(number), file.name, size(file.size_bytes or 0, language))
        for number, file in enumerate(listed, start=1)
    ]
    print(table(session.say("models.files").split("|"), rows))
    if not sys.stdin.isatty():
        raise BadArguments(reason=session.say("models.choose", example=named(listed[0])))
    answer = input(f"{session.say('models.which')} ").strip()
    if not answer.isdecimal() or not 1 <= int(answer) <= len(listed):
        raise BadArguments(reason=session.say("models.choose", example=named(listed[0])))
    return named(listed[int(answer) - 1])
