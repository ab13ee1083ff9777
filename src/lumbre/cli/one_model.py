"""Which single model a person means by an id or a role."""

from lumbre.cli.known_models import known_names
from lumbre.cli.session import Session
from lumbre.core.errors import BadArguments
from lumbre.core.model import Manifest


def one_model(session: Session, wanted: str) -> Manifest:
    """The model of this id or role, the one in force where the settings name it.

    Raises:
        UnknownModel: nothing is called so.
        BadArguments: several are.
    """
    from lumbre.registry.folder import Registry

    session.prepare()
    registry = Registry(session.config.folders.registry)
    settings = session.config.settings
    if wanted == "primary":
        return registry.primary(settings.llm.primary.id or None)
    chosen = {
        "lightweight": settings.llm.lightweight.id,
        "embedding": settings.embeddings.main.id,
    }.get(wanted)
    with known_names():
        found = registry.find(chosen or wanted)
    if len(found) > 1:
        models = [manifest.id for manifest in found]
        raise BadArguments(reason=session.say("cli.which_one", name=wanted, models=models))
    return found[0]
