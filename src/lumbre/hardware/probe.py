"""This machine as a plan sees it: main memory first, then the cards an engine can use."""

import platform
from collections.abc import Mapping
from pathlib import Path

from lumbre.core.machine import CPU, Device, Host
from lumbre.hardware.cores import usable_cores
from lumbre.hardware.memory import read_memory
from lumbre.hardware.nvidia import Graphics, read_graphics
from lumbre.hardware.processor import read_processor

VISIBLE = "CUDA_VISIBLE_DEVICES"


def this_machine(
    environment: Mapping[str, str],
    *,
    root: Path = Path("/"),
    graphics: Graphics | None = None,
    bandwidth_bytes_per_s: float | None = None,
    compute_flops: float | None = None,
) -> Host:
    """The machine as it is now. Takes milliseconds, and a moment more where NVIDIA's driver runs.

    `graphics`: what was read of the cards already. `bandwidth_bytes_per_s` and `compute_flops`
    are those of main memory and the processor, where they were measured.
    """
    seen = read_graphics(environment.get(VISIBLE), root=root) if graphics is None else graphics
    memory, processor = read_memory(root), read_processor(root)
    cpu = Device(
        id=CPU,
        kind="cpu",
        name=processor.name,
        total_bytes=min(memory.total_bytes, memory.limit_bytes or memory.total_bytes),
        free_bytes=memory.available_bytes,
        bandwidth_bytes_per_s=bandwidth_bytes_per_s,
        compute_flops=compute_flops,
    )
    return Host(
        name=platform.node() or CPU,
        devices=(cpu, *(card.device for card in seen.cards)),
        cores=usable_cores(root),
        architecture=processor.architecture,
        instruction_sets=processor.instruction_sets,
        driver=seen.driver,
        cuda=seen.cuda,
    )
