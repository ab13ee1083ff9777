"""Which of the builds that are here runs a household's GGUF models. Pure."""

from collections.abc import Sequence

from lumbre.core.errors import BadConfig
from lumbre.core.machine import Host
from lumbre.engines.find import BUILT_IN, Found
from lumbre.words import Sentence

AUTO = "auto"
KEY = "worker.engine"


def choose_for(
    manifest_engine: str, engines: Sequence[Found], host: Host, wish: str = AUTO
) -> Found | None:
    """What runs a model whose manifest names this engine.

    A manifest that asks for `llama_server` gets a program, the one chosen or else the best
    there is; one for `llama_cpp` gets what is chosen. None: neither is its engine, or there
    is no program.

    Raises: as `choose`.
    """
    if manifest_engine not in ("llama_cpp", "llama_server"):
        return None
    chosen = choose(engines, host, wish)
    if manifest_engine in ("llama_cpp", chosen.backend):
        return chosen
    kinds = {card.kind for card in host.cards}
    programs = [one for one in engines if one.backend == manifest_engine and not one.problem]
    return max(programs, key=lambda one: (one.device in kinds, *_merit(one)), default=None)


def choose(engines: Sequence[Found], host: Host, wish: str = AUTO) -> Found:
    """The engine for this machine, or the one that was wished for by name.

    auto: the built-in one, unless the machine has cards and a build for their kind was
    installed or stands on the PATH; installed ones go first, then the newest toolkit.

    Raises:
        BadConfig: no engine has the name that was wished for, or that one cannot run.
    """
    usable = [one for one in engines if not one.problem and one.backend != "ollama"]
    if wish != AUTO:
        for one in usable:
            if one.name == wish:
                return one
        names = [AUTO, *(one.name for one in usable)]
        raise BadConfig(
            key=KEY,
            value=wish,
            where="config.toml",
            reason=Sentence("engines.no_such", known=names),
        )
    kinds = {card.kind for card in host.cards}
    fit = [one for one in usable if one.device in kinds and one.origin != "built_in"]
    built_in = next(one for one in engines if one.name == BUILT_IN)
    if built_in.device in kinds or not fit:
        return built_in
    return max(fit, key=_merit)


def _merit(one: Found) -> tuple[bool, int, str]:
    return one.origin == "installed", int(one.toolkit or 0), one.name
