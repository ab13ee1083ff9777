"""NVIDIA's cards as the driver knows them; what keeps one from being used, in words.

Numbered gpu0, gpu1 ... in the driver's order, which is that of the PCI bus, or as
CUDA_VISIBLE_DEVICES has it. An engine counts the same way when it runs with
CUDA_DEVICE_ORDER=PCI_BUS_ID.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumbre.core.machine import Device
from lumbre.hardware.nvml import Recording
from lumbre.hardware.pcie import link_bytes_per_s
from lumbre.words import Sentence

_PATIENCE_S = 8.0
"""A driver that nothing else keeps awake takes seconds to look at its cards the first time."""
_SIGNS = ("dev/nvidiactl", "proc/driver/nvidia/version", "dev/dxg")
"""One of them is there wherever the driver runs; the last under WSL."""
_REASONS = {
    4: "no_permission",
    9: "driver_not_loaded",
    12: "no_library",
    15: "lost",
    16: "needs_reset",
    18: "driver_mismatch",
}
"""Source: nvml.h, nvmlReturn_t."""
_TENSOR_FACTOR = {"7.0": 8, "7.5": 4, "8.0": 16, "8.6": 2, "8.9": 2, "9.0": 16, "12.0": 2}
"""How many times faster than FP32 shaders dense FP16 matrices with FP32 sums are, by compute
capability; where a family has several, the slowest. Source: NVIDIA's architecture whitepapers
(V100, Turing, A100, GA102, Ada, H100, RTX Blackwell), tables of peak rates: RTX 4090 82.6 and
165.2 TFLOPS, RTX 5090 104.8 and 209.5, RTX 2080 Ti 13.4 and 53.8, A100 19.5 and 312."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card, and who holds memory on it."""

    device: Device
    uuid: str
    used_bytes_by_pid: Mapping[int, int] = field(default_factory=dict)
    """Of programs that compute, where the driver tells."""


@dataclass(frozen=True, slots=True)
class Graphics:
    """What the driver says."""

    cards: tuple[Card, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    """The newest that the driver serves: "12.4"."""
    troubles: tuple[Sentence, ...] = ()
    """Why cards, or all of them, cannot be used."""


def held_on(cards: Iterable[Card], pids: Collection[int]) -> dict[str, int]:
    """Bytes that processes hold on each card, where the driver tells."""
    return {
        card.device.id: sum(card.used_bytes_by_pid.get(pid, 0) for pid in pids)
        for card in cards
        if any(pid in card.used_bytes_by_pid for pid in pids)
    }


def read_graphics(
    visible: str | None = None,
    *,
    root: Path = Path("/"),
    ask: Callable[[], Recording | Sentence] | None = None,
) -> Graphics:
    """Every NVIDIA card that may be used; nothing at all where there is no driver.

    `visible` is the value of CUDA_VISIBLE_DEVICES, None where it is not set.
    """
    if ask is None:
        if not any((root / sign).exists() for sign in _SIGNS):
            return Graphics()
        ask = ask_driver
    answer = ask()
    if isinstance(answer, Sentence):
        return Graphics(troubles=(answer,))
    return understood(answer, visible)


def ask_driver() -> Recording | Sentence:
    """The driver's answers, or why there are none: never later than some seconds."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "lumbre.hardware.nvml"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    try:
        output, _ = child.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
        child.stdout.close()
        if child.returncode is None:
            child.returncode = 0  # inside the driver it cannot be killed: nobody waits for it
        return Sentence("hardware.nvidia.hangs", patience_s=_PATIENCE_S)
    try:
        told = json.loads(output)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return Sentence("hardware.nvidia.crashed", status=child.returncode)
    return told


def understood(recording: Recording, visible: str | None = None) -> Graphics:
    """What a recording of the driver's answers means; nothing in it makes this fail."""
    if "error" in recording:
        return Graphics(troubles=(_why(recording["error"]),))
    read = [_card(at, told) for at, told in enumerate(_list(recording.get("cards")))]
    troubles = [found for found in read if isinstance(found, Sentence)]
    cards = [found if isinstance(found, Card) else None for found in read]
    if visible is not None:
        cards = _visible(cards, visible)
        if not any(cards) and any(isinstance(found, Card) for found in read):
            troubles.append(Sentence("hardware.nvidia.hidden", value=visible))
    return Graphics(
        tuple(_numbered(card for card in cards if card is not None)),
        _text(recording.get("driver")),
        _cuda(recording.get("cuda")),
        tuple(troubles),
    )


def _card(at: int, told: object) -> Card | Sentence:
    answers = told if isinstance(told, dict) else {}
    if "error" in answers:
        return Sentence("hardware.nvidia.card", index=at, why=_why(answers["error"]))
    name = _text(answers.get("name")) or f"NVIDIA {at}"
    memory = answers.get("memory")
    told_memory = memory if isinstance(memory, dict) else {}
    total_bytes, free_bytes = _count(told_memory.get("total")), _count(told_memory.get("free"))
    if not total_bytes or free_bytes is None:
        error = told_memory.get("error")
        why = Sentence("hardware.nvidia.no_memory") if error in (None, 3) else _why(error)
        return Sentence("hardware.nvidia.card", index=at, why=why)
    if (_list(answers.get("mig")) or [0])[0] == 1:
        why = Sentence("hardware.nvidia.split")
        return Sentence("hardware.nvidia.card", index=at, why=why)
    capability = _capability(answers.get("capability"))
    device = Device(
        id=f"gpu{at}",
        kind="cuda",
        name=name,
        total_bytes=total_bytes,
        free_bytes=min(free_bytes, total_bytes),
        bandwidth_bytes_per_s=_bandwidth(answers),
        compute_flops=_compute(answers, capability),
        link_bytes_per_s=link_bytes_per_s(
            _count(answers.get("pcie_generation")) or 0, _count(answers.get("pcie_lanes")) or 0
        ),
        compute_capability=capability,
        uuid=_text(answers.get("uuid")),
    )
    return Card(device, _text(answers.get("uuid")) or "", _used(answers.get("processes")))


def _bandwidth(answers: Mapping[str, object]) -> float | None:
    """2 x memory clock x bus width: data goes on both edges.

    Source: NVIDIA nvbench, device_info.cu, get_global_memory_bandwidth; its output for an RTX
    4090: 1008 GB/sec (384-bit DDR @10501MHz). Cards whose memory is the machine's tell no width.
    """
    clock_mhz = _count(answers.get("memory_clock_mhz"))
    width_bits = _count(answers.get("bus_width_bits"))
    if not clock_mhz or not width_bits:
        return None
    return 2 * clock_mhz * 1e6 * width_bits / 8


def _compute(answers: Mapping[str, object], capability: str | None) -> float | None:
    """Cores x 2 x highest clock x what matrices are faster by: never reached, good to compare."""
    cores, clock_mhz = _count(answers.get("cores")), _count(answers.get("sm_clock_mhz"))
    factor = _TENSOR_FACTOR.get(capability or "")
    if not cores or not clock_mhz or factor is None:
        return None
    return cores * 2 * clock_mhz * 1e6 * factor


def _visible(cards: Sequence[Card | None], wanted: str) -> list[Card | None]:
    """The cards that CUDA_VISIBLE_DEVICES names, in its order, up to the first that is none.

    Source: CUDA C++ Programming Guide, CUDA Environment Variables; by place among all cards,
    or by the beginning of one card's UUID.
    """
    chosen: list[Card | None] = []
    for word in (part.strip() for part in wanted.split(",")):
        found: list[Card | None]
        if word.isascii() and word.isdecimal() and len(word) < 6:
            found = list(cards[int(word) : int(word) + 1])
        elif word.startswith("GPU-"):
            found = [card for card in cards if card is not None and card.uuid.startswith(word)]
        else:
            found = []
        if len(found) != 1 or (found[0] is not None and found[0] in chosen):
            break
        chosen += found
    return chosen


def _numbered(cards: Iterator[Card] | Sequence[Card]) -> Iterator[Card]:
    from dataclasses import replace

    for at, card in enumerate(cards):
        yield replace(card, device=replace(card.device, id=f"gpu{at}"))


def _why(error: object) -> Sentence:
    name = _REASONS.get(error) if isinstance(error, int) else None
    if name is not None:
        return Sentence(f"hardware.nvidia.{name}")
    return Sentence("hardware.nvidia.error", number=str(error)[:20])


def _used(processes: object) -> dict[int, int]:
    used: dict[int, int] = {}
    for process in _list(processes):
        match process:
            case [int(pid), int(used_bytes)] if used_bytes >= 0:
                used[pid] = used.get(pid, 0) + used_bytes
    return used


def _cuda(version: object) -> str | None:
    """Source: nvml.h, nvmlSystemGetCudaDriverVersion: major x 1000 + minor x 10."""
    number = _count(version)
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _capability(pair: object) -> str | None:
    match pair:
        case [int(major), int(minor)]:
            return f"{major}.{minor}"
    return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value >= 0 else None  # type: ignore[operator,return-value]
