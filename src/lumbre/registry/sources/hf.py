"""Weights from the Hugging Face hub: `hf:OWNER/NAME/PATH[@REVISION]`.

The hub's own library tells where a file is, how large, and its checksum; the bytes come
by our own transfer. The library's download would put them into its cache first (the disk
holds them twice, or the file is a link into a folder that other programs clean up), knows
nothing of the pieces we keep, and cannot be held to a size.
"""

from lumbre.registry.reason import failed
from lumbre.registry.sources import Order
from lumbre.registry.sources._hub import address, file_of
from lumbre.registry.sources._resume import fetch
from lumbre.registry.sources._web import Ask


def room_bytes(uri: str, size_bytes: int) -> int:
    return 0


def deliver(order: Order) -> float:
    wanted = address(order.uri)
    if not wanted.file:
        raise failed(order.uri, "bad_uri")

    def locate() -> Ask:
        seen = file_of(wanted, order.places, order.patience)
        if None not in (seen.size_bytes, order.size_bytes) and seen.size_bytes != order.size_bytes:
            found, expected = seen.size_bytes, order.size_bytes
            raise failed(order.uri, "wrong_size", found=found, expected=expected)
        if seen.sha256 and order.sha256 and seen.sha256 != order.sha256:
            found_sum, expected_sum = seen.sha256, order.sha256
            raise failed(order.uri, "other_bytes", found=found_sum, expected=expected_sum)
        return seen.ask

    fetch(order, locate)
    return 0.0
