"""Graphics cards: which can be used, and what keeps the others from it."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found
from lumbre.hardware.nvidia import Graphics, read_graphics
from lumbre.hardware.probe import VISIBLE
from lumbre.hardware.unsupported import Foreign, has_nvidia_card, read_unsupported
from lumbre.words import Sentence

PLACE = 60
_MENDS = {
    "no_permission": "permission",
    "driver_not_loaded": "load",
    "no_library": "install",
    "driver_mismatch": "restart",
    "lost": "restart",
    "needs_reset": "restart",
    "hangs": "restart",
    "hidden": "show",
}


def check(scope: Scope) -> Iterator[Finding]:
    graphics = read_graphics(scope.environment.get(VISIBLE), root=scope.root)
    yield from _cards(graphics)
    for trouble in graphics.troubles:
        yield found("warn", "graphics.trouble", _mend(trouble), why=trouble)
    others = read_unsupported(scope.root)
    if not graphics.cards and not graphics.troubles:
        if has_nvidia_card(scope.root):
            yield found("warn", "graphics.no_driver", Sentence("doctor.graphics.install"))
        elif not others:
            yield found("ok", "graphics.none")
    for other in others:
        yield _unsupported(other)


def _cards(graphics: Graphics) -> Iterator[Finding]:
    for card in graphics.cards:
        device = card.device
        yield found(
            "ok",
            "graphics.card",
            id=device.id,
            name=device.name,
            total_bytes=device.total_bytes,
            free_bytes=device.free_bytes,
            capability=device.compute_capability or "?",
            driver=graphics.driver or "?",
            cuda=graphics.cuda or "?",
            uuid=card.uuid,
            bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
        )


def _unsupported(other: Foreign) -> Finding:
    name = f"{other.maker} ({other.pci_id})" if other.pci_id else other.maker
    return found("ok" if other.is_in_processor else "warn", "graphics.unsupported", name=name)


def _mend(trouble: Sentence) -> Sentence | None:
    """By what is wrong, also where it is said of one card."""
    why = trouble.facts.get("why", trouble)
    name = why.key.rpartition(".")[2] if isinstance(why, Sentence) else ""
    match _MENDS.get(name):
        case "load":
            return command("sudo modprobe nvidia")
        case "show":
            return command(f"unset {VISIBLE}")
        case None:
            return None
        case mend:
            return Sentence(f"doctor.graphics.{mend}")
