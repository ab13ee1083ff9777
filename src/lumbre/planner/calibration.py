"""Learn from every worker that was measured what the next of its kind will hold. Pure.

A worker is weights, copies, cache and compute buffers, which the engine says exactly, and a
constant: code, vocabulary, buffers of libraries. The constant is what differs between
machines and engine builds, so it is what a measurement corrects.
"""

from lumbre.core.machine import CPU, Device
from lumbre.core.plan import Choice, Placement
from lumbre.planner.footprint import kept_bytes, slots_bytes
from lumbre.planner.records import Calibration
from lumbre.planner.wish import Wish

_SPREAD_BYTES = 3 * 2**19
_SPREAD_BYTES_PER_TOKEN = 256
_SPREAD_SHARE = 1 / 4
"""How far workers of one kind differ: so many bytes, so many for each token of the context, and
that share of their compute buffers. Source: benchmarks/memory.py, the cells of one model, load
mode and extra buffers."""
_LEAST_BYTES = 8 * 2**20
"""A process of ours that holds less beside its buffers was not seen whole."""


def worker_key(sha256: str, wish: Wish, choice: Choice, *, build: str, device: Device) -> str:
    """Whose constant is the same: model and quant (its bytes), engine build, load mode, device.

    A process that uses cards holds other things in main memory than one that does not, and
    a card is known by its name, wherever it is counted.
    """
    extra = "extra" if choice.extra_buffers else "plain"
    use = "embeds" if wish.embeds else "chats"
    place = device.id if device.id == CPU else device.uuid or device.name
    beside = "/with cards" if choice.layers and device.id == CPU else ""
    return f"{sha256[:32]}/{build}/{choice.load_mode}/{extra}/{use}/{place}{beside}"


def learned(
    known: Calibration | None,
    wish: Wish,
    choice: Choice,
    buffers: Placement,
    *,
    planned_bytes: int,
    beside_bytes: int,
    is_full: bool,
) -> Calibration | None:
    """What a measurement on one device adds to what is known; None where it cannot be believed.

    `buffers` is what the engine, or the formula, says of this worker there; `beside_bytes`
    is what the process holds without the pages of its mapped weights, which others may share
    and the system may drop.
    """
    said = buffers.footprint
    measured_bytes = beside_bytes + _mapped_bytes(wish, choice, buffers)
    constant_bytes = measured_bytes - (said.total_bytes - said.overhead_bytes)
    constant_bytes -= _own_bytes(wish, choice, buffers.device)
    if constant_bytes < _LEAST_BYTES:
        return None
    loads = known.loads + 1 if known else 1
    if known and _says_more(known, constant_bytes, _spread_bytes(choice, buffers), is_full=is_full):
        constant_bytes, is_full = known.constant_bytes, known.is_full
    return Calibration(constant_bytes, is_full, planned_bytes, measured_bytes, loads)


def _says_more(
    known: Calibration, constant_bytes: int, spread_bytes: int, *, is_full: bool
) -> bool:
    """Whether what is known holds beside a new measurement: it is larger, or was seen full
    and is no less than what a load alone takes."""
    if known.is_full and not is_full:
        return constant_bytes <= known.constant_bytes + spread_bytes
    return known.is_full == is_full and known.constant_bytes >= constant_bytes


def overhead_bytes(known: Calibration, wish: Wish, choice: Choice, buffers: Placement) -> int:
    """What stands beside the buffers of one device, from what was measured.

    Seen only after its load, a worker may not yet have touched all of its compute buffers.
    """
    compute_bytes = buffers.footprint.compute_bytes
    untouched_bytes = 0 if known.is_full else compute_bytes
    kept = kept_bytes(wish, choice) if buffers.device == CPU else 0
    own_bytes = _own_bytes(wish, choice, buffers.device)
    spread_bytes = _spread_bytes(choice, buffers)
    return known.constant_bytes + kept + own_bytes + untouched_bytes + spread_bytes


def _spread_bytes(choice: Choice, buffers: Placement) -> int:
    by_context_bytes = _SPREAD_BYTES_PER_TOKEN * choice.context_tokens
    by_compute_bytes = round(_SPREAD_SHARE * buffers.footprint.compute_bytes)
    return _SPREAD_BYTES + by_context_bytes + by_compute_bytes


def _own_bytes(wish: Wish, choice: Choice, device: str) -> int:
    """What a worker holds from its load on, and another of its kind may hold more or less of:
    its slots' own, files beside. What it only may come to keep is not taken off."""
    first = choice.layers[0][0] if choice.layers else CPU
    beside_bytes = wish.beside_bytes if device == first else 0
    return beside_bytes + (slots_bytes(wish, choice) if device == CPU else 0)


def _mapped_bytes(wish: Wish, choice: Choice, buffers: Placement) -> int:
    """Pages of the weights in main memory: all of the file, or what is not on a card."""
    if buffers.device != CPU or choice.load_mode != "mmap" or wish.facts is None:
        return 0
    return buffers.footprint.weights_bytes if choice.layers else wish.facts.file_bytes
