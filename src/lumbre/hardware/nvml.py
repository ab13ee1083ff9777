"""Ask NVIDIA's driver about its cards, in a process of its own.

The driver's library has been seen to hang on a card that fell off the bus and to crash on a
half-finished update; whoever asks here loses a child, not itself. What comes out is one JSON
object with the driver's answers as they are, or the number of the error in their place: what
they mean is read in `nvidia.py`, from this or from a recording.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
"""Source of both: nvml.h, NVML_ERROR_LIBRARY_NOT_FOUND and NVML_ERROR_FUNCTION_NOT_FOUND."""

Recording = dict[str, Any]


def record() -> Recording:
    """Everything that is asked, answered. An answer that was refused is {"error": number}."""
    try:
        import pynvml
    except ImportError:
        return {"error": LIBRARY_NOT_FOUND}

    def ask(question: Callable[..., Any], *about: object) -> Any:
        try:
            return question(*about)
        except pynvml.NVMLError as error:
            return {"error": error.value}
        except pynvml.NVMLLibraryMismatchError:
            return {"error": FUNCTION_NOT_FOUND}

    begun = ask(pynvml.nvmlInit)
    if begun is not None:
        return {"error": begun["error"]}
    try:
        count = ask(pynvml.nvmlDeviceGetCount)
        return {
            "driver": ask(pynvml.nvmlSystemGetDriverVersion),
            "cuda": ask(pynvml.nvmlSystemGetCudaDriverVersion_v2),
            "count": count,
            "cards": [_card(pynvml, ask, index) for index in range(count)]
            if isinstance(count, int)
            else [],
        }
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _card(nvml: Any, ask: Callable[..., Any], index: int) -> Recording:
    handle = ask(nvml.nvmlDeviceGetHandleByIndex, index)
    if isinstance(handle, dict):
        return handle
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    running = ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    return {
        "name": ask(nvml.nvmlDeviceGetName, handle),
        "uuid": ask(nvml.nvmlDeviceGetUUID, handle),
        "memory": memory
        if isinstance(memory, dict)
        else {"total": memory.total, "free": memory.free},
        "capability": ask(nvml.nvmlDeviceGetCudaComputeCapability, handle),
        "bus_width_bits": ask(nvml.nvmlDeviceGetMemoryBusWidth, handle),
        "memory_clock_mhz": ask(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_MEM),
        "sm_clock_mhz": ask(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM),
        "cores": ask(nvml.nvmlDeviceGetNumGpuCores, handle),
        "pcie_generation": ask(nvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        "pcie_lanes": ask(nvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
        "mig": ask(nvml.nvmlDeviceGetMigMode, handle),
        "processes": running
        if isinstance(running, dict)
        else [[process.pid, process.usedGpuMemory] for process in running],
    }


if __name__ == "__main__":
    json.dump(record(), sys.stdout)
