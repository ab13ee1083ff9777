"""Learn from every worker that was measured what the next of its kind will hold. Pure.

A worker is weights, copies, cache and compute buffers, which the engine says exactly, and a
constant: code, vocabulary, buffers of libraries. The constant is what differs between
machines and engine builds, so it is what a measurement corrects.
"""

from lumbre.core.machine import CPU
from lumbre.core.plan import Choice, Placement
from lumbre.planner.footprint import kept_bytes
from lumbre.planner.records import Calibration
from lumbre.planner.wish import Wish

_SPREAD_BYTES = 2 * 2**20
_SPREAD_SHARE = 1 / 4
"""How far workers of one kind differ, whatever their context: so many bytes, and that share of
their compute buffers. Source: benchmarks/memory.py, the cells of one model, load mode and extra
buffers."""
_LEAST_BYTES = 8 * 2**20
"""A process of ours that holds less beside its buffers was not seen whole."""


def worker_key(sha256: str, wish: Wish, choice: Choice, *, build: str, device: str) -> str:
    """Whose constant is the same: model and quant (its bytes), engine build, load mode, device."""
    extra = "extra" if choice.extra_buffers else "plain"
    use = "embeds" if wish.embeds else "chats"
    return f"{sha256[:32]}/{build}/{choice.load_mode}/{extra}/{use}/{device}"


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
    constant_bytes -= _varying_bytes(wish, choice, buffers.device)
    if constant_bytes < _LEAST_BYTES:
        return None
    loads = known.loads + 1 if known else 1
    if known and (known.is_full, known.constant_bytes) >= (is_full, constant_bytes):
        constant_bytes, is_full = known.constant_bytes, known.is_full
    return Calibration(constant_bytes, is_full, planned_bytes, measured_bytes, loads)


def overhead_bytes(known: Calibration, wish: Wish, choice: Choice, buffers: Placement) -> int:
    """What stands beside the buffers of one device, from what was measured.

    Seen only after its load, a worker may not yet have touched all of its compute buffers.
    """
    compute_bytes = buffers.footprint.compute_bytes
    spread_bytes = _SPREAD_BYTES + round(_SPREAD_SHARE * compute_bytes)
    untouched_bytes = 0 if known.is_full else compute_bytes
    varying_bytes = _varying_bytes(wish, choice, buffers.device)
    return known.constant_bytes + varying_bytes + untouched_bytes + spread_bytes


def _varying_bytes(wish: Wish, choice: Choice, device: str) -> int:
    """What is not the same for all workers of a key: slots, caches, files beside."""
    first = choice.layers[0][0] if choice.layers else CPU
    beside_bytes = wish.beside_bytes if device == first else 0
    if device != CPU or wish.facts is None:
        return beside_bytes
    return kept_bytes(wish, choice) + beside_bytes


def _mapped_bytes(wish: Wish, choice: Choice, buffers: Placement) -> int:
    """Pages of the weights in main memory: all of the file, or what is not on a card."""
    if buffers.device != CPU or choice.load_mode != "mmap" or wish.facts is None:
        return 0
    return buffers.footprint.weights_bytes if choice.layers else wish.facts.file_bytes
