"""The models of a home that is only looked at: their manifests, and where their weights stand."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from lumbre.checks import Scope
from lumbre.checks._looking import LookingStore
from lumbre.core.errors import LumbreError
from lumbre.core.model import Manifest, Role
from lumbre.registry.folder import Registry
from lumbre.registry.household import shipped
from lumbre.registry.weights import SCHEMA, Weights


def manifests(scope: Scope) -> tuple[Manifest, ...]:
    """The usable models; in a home that is not made yet those it would begin with."""
    folder = scope.config.folders.registry
    return Registry(folder).usable() if folder.exists() else shipped("starter")


def answering(scope: Scope) -> tuple[Manifest, ...]:
    """The models no question is answered without: the one that speaks, and the embedding."""
    settings, models = scope.config.settings, manifests(scope)

    def chosen(wanted: str, role: Role) -> tuple[Manifest, ...]:
        named = (model for model in models if model.id == wanted)
        return tuple(named if wanted else (model for model in models if model.role == role))[:1]

    primary = chosen(settings.llm.primary.id, "primary")
    return primary + chosen(settings.embeddings.main.id, "embedding")


@contextmanager
def weights_of(scope: Scope) -> Iterator[Weights]:
    """Where weights stand; checksums that are remembered count if the database can be read."""
    folders = scope.config.folders
    store = LookingStore(folders.database)
    try:
        with store.reading() as connection:
            connection.execute("SELECT 1 FROM weights_checked LIMIT 1")
    except (LumbreError, apsw.Error):
        store.close()
        store = LookingStore(None, *SCHEMA.migrations)
    try:
        yield Weights(folders.weights, store)
    finally:
        store.close()
