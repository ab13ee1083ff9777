"""What of this system decides which build runs here: its C library, its drivers' libraries."""

import ctypes.util
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_ROCM_VERSION = "opt/rocm/.info/version"
"""Source: ROCm documentation, "Post-installation instructions"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Read once, so that what follows is arithmetic."""

    name: str
    """As `sys.platform` has it."""
    processor: str
    """As `platform.machine()` has it."""
    glibc: str = ""
    """Empty: another C library, or none is known."""
    rocm: str = ""
    """Version of the libraries for AMD's cards; empty: not installed."""
    has_vulkan: bool = False
    """The loader's library and a card's device file are there."""
    python: tuple[int, int] = (3, 11)


def this_system(root: Path = Path("/")) -> System:
    """The one we run on."""
    library, version = platform.libc_ver()
    return System(
        name=sys.platform,
        processor=platform.machine(),
        glibc=version if library == "glibc" else "",
        rocm=_rocm(root),
        has_vulkan=bool(ctypes.util.find_library("vulkan")) and _has_card(root),
        python=sys.version_info[:2],
    )


def version_of(text: str) -> tuple[int, ...]:
    """Numbers that compare: "2.35" -> (2, 35)."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:4])


def _rocm(root: Path) -> str:
    try:
        return (root / _ROCM_VERSION).read_text(errors="replace").strip()[:40]
    except OSError:
        return ""


def _has_card(root: Path) -> bool:
    return any((root / "dev/dri").glob("renderD*"))
