"""Weights from the Ollama library: `ollama:[SPACE/]NAME[:TAG][#KIND]`.

A part is asked for by its checksum, so that a tag that moved on does not change what a
manifest of ours means as long as the library keeps the old part.
"""

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import failed, reason_of
from lumbre.registry.sources import Order
from lumbre.registry.sources._library import address, blob, release_of
from lumbre.registry.sources._resume import fetch
from lumbre.registry.sources._web import Ask


def room_bytes(uri: str, size_bytes: int) -> int:
    return 0


def deliver(order: Order) -> float:
    wanted = address(order.uri)
    named: list[str] = []

    def locate() -> Ask:
        release = release_of(wanted, order.places, order.patience)
        named[:] = [layer.sha256 for layer in release.of(wanted.kind)]
        if not named:
            raise failed(order.uri, "no_layer", model=wanted.model, kind=wanted.kind)
        return blob(wanted, release, order.sha256 or named[0], order.places)

    try:
        fetch(order, locate)
    except SourceFailed as error:
        gone = reason_of(error).facts.get("status") == 404
        if gone and order.sha256 and named and order.sha256 not in named:
            found, expected = named[0], order.sha256
            raise failed(order.uri, "other_bytes", found=found, expected=expected) from error
        raise
    return 0.0
