"""What a plan is asked for: which machine, which models, how long a context."""

import difflib
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lumbre.cli.session import Session
from lumbre.core.errors import BadArguments, LumbreError, UnknownModel
from lumbre.core.machine import CPU, Host
from lumbre.core.model import CHAT_ROLES
from lumbre.words import Sentence

if TYPE_CHECKING:
    from lumbre.planning import Context, Planning, Wanted
    from lumbre.registry.known.household import DescribedHousehold

_WIDEST = 100
_NEAREST = 5
_ALIKE = 0.5


def width() -> int:
    """Columns to write in."""
    return min(_WIDEST, shutil.get_terminal_size().columns)


def where_and_who(
    session: Session, machine: str | None, household: str | None
) -> "tuple[Host, DescribedHousehold | None]":
    """The machine to plan for, and a household from a file, which may bring its machine.

    Raises:
        UnknownMachine, BadMachine: as `find_machine`.
        UnknownHousehold, BadHousehold: there is none, or its file says what cannot be.
    """
    from lumbre.planning import this_machine_of

    described = None
    if household is not None:
        from lumbre.registry.known.household import find_household

        described = find_household(household)
        machine = machine or described.machine or None
    if machine is None:
        return this_machine_of(session.config), described
    from lumbre.hardware.described import find_machine

    return find_machine(machine), described


def held_by(session: Session, planning: "Planning") -> dict[str, int]:
    """Bytes that the models of this home hold now, by device: a plan may count on them."""
    from lumbre.cli.attach import reach, running
    from lumbre.hardware.usage import family, private_bytes

    note = running(session)
    if note is None:
        return {}
    try:
        models = reach(session, note).get("/lumbre/ps")["models"]
    except LumbreError:  # it ended this moment: it holds nothing
        return {}
    pids = [pid for model in models if model["pid"] for pid in family(model["pid"])]
    # pages of mapped weights are free memory to the system: only the rest comes on top
    return {CPU: sum(map(private_bytes, pids)), **planning.held_on_cards(pids)}


def context_of(session: Session, text: str | None) -> "Context":
    """Tokens, `max`, or None where nothing was asked.

    Raises:
        BadArguments: neither a number that makes sense nor max.
    """
    from lumbre.planning import LEAST_CONTEXT_TOKENS

    if text is None:
        return None
    if text.strip().lower() == "max":
        return "max"
    try:
        tokens = int(text)
    except ValueError:
        tokens = 0
    if tokens < LEAST_CONTEXT_TOKENS or not text.strip().isascii():
        least = LEAST_CONTEXT_TOKENS
        raise BadArguments(reason=session.say("plan_view.ask.context", least=least, given=text))
    return tokens


def within_training(session: Session, wanted: "Wanted", context: "Context") -> None:
    """Hold the context to what every chat model was trained for.

    Raises:
        BadArguments: it is beyond that of one.
    """
    if not isinstance(context, int):
        return
    for wish in wanted.wishes:
        trained_tokens = wish.facts.context_length if wish.facts else 0
        if wish.role in CHAT_ROLES and 0 < trained_tokens < context:
            reason = session.say(
                "plan_view.ask.beyond_training",
                model=wish.id,
                trained_tokens=trained_tokens,
                wanted_tokens=context,
            )
            raise BadArguments(reason=reason)


def untouched_by_context(wanted: "Wanted") -> tuple[Sentence, ...]:
    """A note where a context was asked for and nobody talks."""
    silent = [wish.id for wish in wanted.wishes if wish.role not in CHAT_ROLES]
    if not silent or len(silent) < len(wanted.wishes):
        return ()
    return (Sentence("plan_view.ask.no_chat", models=silent),)


def ids_of(session: Session, text: str | None) -> list[str] | None:
    """The names of `--models`, each once.

    Raises:
        BadArguments: there is none in it.
    """
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise BadArguments(reason=session.say("plan_view.ask.no_models"))
    return names


def wanted_of(
    planning: "Planning",
    host: Host,
    models: "Sequence[str] | DescribedHousehold | None",
    context: "Context",
) -> "Wanted":
    """The models asked for; who is not known is told the nearest of all names there are.

    Raises:
        UnknownModel: a name that is neither in the registry nor known.
    """
    from lumbre.registry.known.household import DescribedHousehold

    if isinstance(models, DescribedHousehold):
        return _described(planning, host, models, context)
    try:
        return planning.wanted(host, models, context)
    except UnknownModel as error:
        name = str(error.facts["name"])
        raise UnknownModel(name=name, known=_nearest(name, error.facts["known"])) from error


def _described(
    planning: "Planning", host: Host, household: "DescribedHousehold", context: "Context"
) -> "Wanted":
    from lumbre.planning import Wanted

    wishes = [
        planning.wish(model, host, context)
        for model in household.models
        if model.format != "remote"
    ]
    remote = [model.id for model in household.models if model.format == "remote"]
    return Wanted(wishes=tuple(filter(None, wishes)), remote=tuple(remote))


def _nearest(name: str, mine: object) -> list[str]:
    """Of the person's own models and the known ones; whole ids, and ids without a quant."""
    from lumbre.registry.known import known_models

    own = [str(one) for one in mine] if isinstance(mine, list | tuple) else []
    bases = dict.fromkeys(model.base for model in known_models())
    names = [*own, *bases, *(model.id for model in known_models())]
    near = difflib.get_close_matches(name.lower(), names, _NEAREST, _ALIKE)
    return list(dict.fromkeys(near)) or own
