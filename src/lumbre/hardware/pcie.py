"""How fast a card is fed: bytes in one second over its PCI Express lanes."""

_LANE_BYTES_PER_S: dict[int, float] = {
    1: 2.5e9 * 8 / 10 / 8,
    2: 5e9 * 8 / 10 / 8,
    3: 8e9 * 128 / 130 / 8,
    4: 16e9 * 128 / 130 / 8,
    5: 32e9 * 128 / 130 / 8,
    6: 64e9 * 242 / 256 / 8,
}
"""Source: PCI-SIG, PCI Express Base Specification: transfers per second and line coding of each
generation."""
GENERATIONS = tuple(_LANE_BYTES_PER_S)
WIDTHS = (1, 2, 4, 8, 16)


def link_bytes_per_s(generation: int, lanes: int) -> float | None:
    """One way, before packet headers; None for a generation or width that there is not."""
    if generation not in _LANE_BYTES_PER_S or lanes not in WIDTHS:
        return None
    return _LANE_BYTES_PER_S[generation] * lanes
