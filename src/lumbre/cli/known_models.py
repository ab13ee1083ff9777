"""Show the models lumbre knows by their numbers, and say how one of them is added."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lumbre.cli.fitting import fitting, on_lines, terminal_width
from lumbre.cli.render import as_json
from lumbre.cli.session import Session
from lumbre.core.errors import OnlyKnown, UnknownModel
from lumbre.words import Sentence, size

if TYPE_CHECKING:
    from lumbre.registry.known import KnownModel

_NEAREST = 5


def show_known(session: Session, *, in_json: bool) -> None:
    """One line for each model in its usual quant; as JSON every quant."""
    from lumbre.registry.known import known_models

    models = known_models()
    if in_json:
        print(as_json([_told(model) for model in models]))
        return
    rows = [
        (
            model.base,
            model.role,
            model.quant,
            size(model.file_bytes, session.language),
            model.licence,
        )
        for model in models
        if model.usual
    ]
    width = terminal_width()
    print(fitting(session.say("models.known.columns").split("|"), rows, width=width))
    print()
    print(on_lines(session.say("models.known.then"), indent=0, further=0, width=width))


@contextmanager
def known_names() -> Iterator[None]:
    """Say of a known model how it is added, where it is not in the registry.

    Raises:
        OnlyKnown: instead of UnknownModel, if lumbre knows such a model.
        UnknownModel: as it was, with the nearest of the known names too.
    """
    from lumbre.registry.known import find_known, nearest_known

    try:
        yield
    except UnknownModel as error:
        name, mine = str(error.facts["name"]), error.facts["known"]
        known = find_known(name)
        if known is None:
            own = mine if isinstance(mine, list) else []
            near = dict.fromkeys([*nearest_known(name), *own])
            raise UnknownModel(name=name, known=list(near)[:_NEAREST]) from error
        raise OnlyKnown(model=known.id, then=_then(known)) from error


def _then(model: "KnownModel") -> Sentence | str:
    if model.format != "gguf":
        return Sentence("models.by_hand")
    return f"lumbre models add {model.address or 'FILE.gguf'}"


def _told(model: "KnownModel") -> dict[str, object]:
    return {
        "id": model.id,
        "base": model.base,
        "role": model.role,
        "format": model.format,
        "quant": model.quant,
        "bytes": model.file_bytes,
        "context_length": model.context_tokens or None,
        "license": model.licence,
        "address": model.address or None,
    }
