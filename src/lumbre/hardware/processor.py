"""What the processor is, and which instructions it has that an engine is built for."""

import platform
from dataclasses import dataclass
from pathlib import Path

_KNOWN = {
    **{name: name for name in ("avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "fma", "f16c")},
    "amx_tile": "amx",
    "asimd": "neon",
    "neon": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "sve": "sve",
}
"""Flag of /proc/cpuinfo -> our name. Source: llama.cpp ggml/src/ggml-cpu/CMakeLists.txt, the
variants its CPU backend is built in; arch/x86/include/asm/cpufeatures.h and
arch/arm64/kernel/cpuinfo.c for the flags."""
_APPLE = ("neon", "dotprod")
"""Every Apple processor lumbre runs on has these: M1 is ARMv8.5."""
_FIRST_BYTES = 16_384
"""One core's part of the file; all cores have the same."""


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor."""

    name: str
    architecture: str
    """As `platform.machine()` names it."""
    instruction_sets: tuple[str, ...]
    """Those of ours that it has, sorted."""


def read_processor(root: Path = Path("/")) -> Processor:
    """The processor of this machine."""
    architecture = platform.machine()
    fields = _fields(root)
    flags = fields.get("flags", fields.get("Features", "")).split()
    found = {_KNOWN[flag] for flag in flags if flag in _KNOWN}
    if not fields and architecture == "arm64":
        found = set(_APPLE)
    name = fields.get("model name") or _board(root) or platform.processor() or architecture
    return Processor(name, architecture, tuple(sorted(found)))


def _fields(root: Path) -> dict[str, str]:
    """What the kernel says of the first core. Source: Documentation/filesystems/proc.rst."""
    try:
        with (root / "proc/cpuinfo").open(errors="replace") as file:
            text = file.read(_FIRST_BYTES)
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _board(root: Path) -> str:
    """The board's name where the kernel names no processor (small ARM machines)."""
    try:
        text = (root / "proc/device-tree/model").read_text(errors="replace")
    except OSError:
        return ""
    return text.strip("\0 \n")
